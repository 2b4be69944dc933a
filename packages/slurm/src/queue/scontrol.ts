/**
 * What scontrol knows: one job in full, with preemption and requeue fields that squeue's text lacks; a partition's
 * way of preempting. scontrol writes text only in the versions in use, one `Key=value` after the other.
 */
import { SlurmError } from '../errors.js';
import { checkedId, type SlurmRunner } from '../runner/index.js';
import { type JobRecord, jobRecord } from './job-record.js';
import { parseJobState } from './job-state.js';
import { parseDuration, parseExit, parseTime, present } from './slurm-values.js';

/** What happens to a job that must give way. `unknown`: the site decides by QOS, or does not say. */
export type PreemptMode = 'requeue' | 'cancel' | 'suspend' | 'off' | 'unknown';

export interface Partition {
  readonly name: string;
  readonly preemptMode: PreemptMode;
  /** Seconds between the warning of a preemption and the end. */
  readonly graceSeconds: number;
  readonly maxTimeSeconds?: number;
}

/** One job or array task, from the controller's memory. @throws SlurmError `no-such-job`, `controller-unreachable`, … */
export async function readJob(
  runner: SlurmRunner,
  id: string,
  options: { readonly timeoutMs?: number } = {},
): Promise<JobRecord> {
  const output = await runner.run('scontrol', ['show', 'job', checkedId(id)], { effect: 'read', ...options });
  const [job] = parseJobs(output);
  if (job !== undefined) return job;
  throw new SlurmError(
    `scontrol show job ${id}: expected a job, got ${JSON.stringify(output.slice(0, 60))}`,
    {
      kind: 'unreadable-output',
      command: 'scontrol show job',
    },
  );
}

/** Jobs of `scontrol show job` (not --oneliner: names with spaces could not be told from keys). */
export function parseJobs(output: string): JobRecord[] {
  return output
    .split(/\n\n+/)
    .filter((block) => block.includes('JobId='))
    .map((block) => {
      const fields = fieldsOf(block);
      const taskId = /^\d+$/.test(fields.ArrayTaskId ?? '') ? Number(fields.ArrayTaskId) : undefined;
      const arrayJob = fields.ArrayJobId;
      const isTask = arrayJob !== undefined && taskId !== undefined;
      return jobRecord({
        id: isTask ? `${arrayJob}_${taskId}` : (fields.JobId ?? ''),
        array: isTask ? { jobId: arrayJob, taskId } : undefined,
        name: fields.JobName ?? '',
        user: present(fields.UserId?.replace(/\(\d+\)$/, '')),
        partition: present(fields.Partition),
        account: present(fields.Account),
        state: parseJobState(fields.JobState),
        reason: present(fields.Reason),
        nodes: present(fields.NodeList),
        submitTime: parseTime(fields.SubmitTime),
        startTime: parseTime(fields.StartTime),
        endTime: parseTime(fields.EndTime),
        preemptTime: parseTime(fields.PreemptTime),
        timeLimitSeconds: parseDuration(fields.TimeLimit),
        restarts: /^\d+$/.test(fields.Restarts ?? '') ? Number(fields.Restarts) : undefined,
        requeue: fields.Requeue === undefined ? undefined : fields.Requeue === '1',
        batch: fields.BatchFlag === undefined ? undefined : fields.BatchFlag !== '0',
        comment: present(fields.Comment),
        workDir: present(fields.WorkDir),
        output: present(fields.StdOut),
        ...parseExit(fields.ExitCode),
      });
    });
}

/** A partition's limits and way of preempting. @throws SlurmError `invalid-partition` when there is none */
export async function readPartition(runner: SlurmRunner, name: string): Promise<Partition> {
  if (!/^[\w.+-]+$/.test(name) || name.startsWith('-')) {
    throw new SlurmError(`expected a partition name, got ${JSON.stringify(name)}`, { kind: 'invalid-spec' });
  }
  const [partition, config] = [
    fieldsOf(await runner.run('scontrol', ['show', 'partition', name], { effect: 'read' })),
    await readConfig(runner),
  ];
  const maxTimeSeconds = parseDuration(partition.MaxTime);
  return {
    name,
    preemptMode: preemptModeOf(partition.PreemptMode, config.PreemptType),
    graceSeconds: Number(partition.GraceTime) || 0,
    ...(maxTimeSeconds !== undefined && { maxTimeSeconds }),
  };
}

/** `scontrol show config`, e.g. `{ KillWait: '30 sec', PreemptType: 'preempt/qos' }`. */
export async function readConfig(runner: SlurmRunner): Promise<Readonly<Record<string, string>>> {
  const output = await runner.run('scontrol', ['show', 'config'], { effect: 'read' });
  const lines = output.split('\n').map((line) => /^(\w+)\s*=\s(.*)$/.exec(line));
  return Object.fromEntries(
    lines.filter((line) => line !== null).map(([, key, value]) => [key!, value!.trim()]),
  );
}

/** Of `PreemptMode=REQUEUE` or `GANG,SUSPEND`; with preempt/qos the partition's word does not count. */
export function preemptModeOf(mode: string | undefined, preemptType: string | undefined): PreemptMode {
  if (preemptType?.includes('none')) return 'off';
  if (preemptType !== undefined && !preemptType.includes('partition')) return 'unknown';
  const words = (mode ?? '').toUpperCase().split(',');
  if (words.includes('REQUEUE')) return 'requeue';
  if (words.includes('CANCEL')) return 'cancel';
  if (words.includes('SUSPEND')) return 'suspend';
  return words.includes('OFF') ? 'off' : 'unknown';
}

/** Keys whose value is the rest of the line. */
const REST_OF_LINE = [
  'JobName',
  'Comment',
  'AdminComment',
  'SystemComment',
  'Command',
  'WorkDir',
  'StdErr',
  'StdIn',
  'StdOut',
  'Dependency',
];
const LONG_KEY = new RegExp(`(?:^|\\s)(${REST_OF_LINE.join('|')})=(.*)$`);

function fieldsOf(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  const add = (key: string, value: string) => {
    fields[key] ??= value;
  };
  for (const line of text.split('\n')) {
    const long = LONG_KEY.exec(line);
    for (const [, key, value] of line.slice(0, long?.index).matchAll(/(\S+?)=(\S*)/g)) add(key!, value!);
    if (long !== null) add(long[1]!, long[2]!.trimEnd());
  }
  return fields;
}
