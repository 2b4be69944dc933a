/**
 * The queue as squeue tells it: JSON where this build of Slurm can write it, else text with control characters as
 * separators, so that no job name can be mistaken for a column.
 */
import { SlurmError } from '../errors.js';
import type { SlurmRunner } from '../runner/index.js';
import { type JobRecord, jobRecord } from './job-record.js';
import { jobPhase, parseJobState } from './job-state.js';
import { parseDuration, parseIndices, parseTime, present, splitWaitStatus } from './slurm-values.js';

export type QueueFormat = 'auto' | 'json' | 'text';

export interface QueueFilter {
  /** Jobs, arrays (`12`) or array tasks (`12_3`); absent: all. */
  readonly ids?: readonly string[];
  readonly user?: string;
  readonly format?: QueueFormat;
}

/** Runners whose squeue cannot write JSON, so that it is asked once only. */
const withoutJson = new WeakSet<SlurmRunner>();

/**
 * Jobs that Slurm still holds in memory: waiting, running and recently ended. Ids it has forgotten are left out.
 * Pending array tasks come one by one, like running ones.
 */
export async function readSqueue(runner: SlurmRunner, filter: QueueFilter = {}): Promise<JobRecord[]> {
  const { ids, user, format = 'auto' } = filter;
  if (ids?.length === 0) return [];
  const jobs =
    format === 'text' || (format === 'auto' && withoutJson.has(runner))
      ? await readText(runner)
      : await readJson(runner, format);
  const wanted = ids && new Set(ids);
  return jobs.filter(
    (job) =>
      (wanted === undefined || wanted.has(job.id) || wanted.has(job.array?.jobId ?? job.id)) &&
      (user === undefined || job.user === user),
  );
}

async function readJson(runner: SlurmRunner, format: QueueFormat): Promise<JobRecord[]> {
  try {
    // Old versions ignore --jobs and --user here, so everything is read and filtered by the caller.
    return parseSqueueJson(await runner.run('squeue', ['--json'], { effect: 'read' }));
  } catch (error) {
    const cannot =
      error instanceof SlurmError &&
      (error.kind === 'unreadable-output' ||
        /unrecognized option|serializer|openapi|data_parser|json/i.test(error.output ?? ''));
    if (format === 'json' || !cannot) throw error;
    withoutJson.add(runner);
    return readText(runner);
  }
}

const RECORD = '\x1e';
const FIELD = '\x1f';
/** squeue(1) --format: id, array, task, state, reason, user, partition, account, nodes, times, limit, comment, name. */
const COLUMNS = [
  '%i',
  '%F',
  '%K',
  '%T',
  '%r',
  '%u',
  '%P',
  '%a',
  '%N',
  '%V',
  '%S',
  '%e',
  '%l',
  '%Z',
  '%k',
  '%j',
];

async function readText(runner: SlurmRunner): Promise<JobRecord[]> {
  const format = `${RECORD}${COLUMNS.join(FIELD)}`;
  const args = ['--noheader', '--array', '--states=all', `--format=${format}`];
  return parseSqueueText(await runner.run('squeue', args, { effect: 'read' }));
}

/** @throws SlurmError `unreadable-output` */
export function parseSqueueText(output: string): JobRecord[] {
  return output
    .split(RECORD)
    .slice(1)
    .map((record) => {
      const cells = record.replace(/\n$/, '').split(FIELD);
      if (cells.length !== COLUMNS.length) {
        throw unreadable('squeue', `${COLUMNS.length} columns`, `${cells.length}`);
      }
      const [id, arrayJob, task, state, reason, user, partition, account, nodes] = cells;
      const [submit, start, end, limit, workDir, comment, name] = cells.slice(9);
      const taskId = /^\d+$/.test(task ?? '') ? Number(task) : undefined;
      return jobRecord({
        id: id!,
        array: taskId === undefined ? undefined : { jobId: arrayJob!, taskId },
        name: name!,
        user: present(user),
        partition: present(partition),
        account: present(account),
        state: parseJobState(state),
        reason: present(reason),
        nodes: present(nodes),
        submitTime: parseTime(submit),
        startTime: parseTime(start),
        endTime: parseTime(end),
        timeLimitSeconds: parseDuration(limit),
        comment: present(comment),
        workDir: present(workDir),
      });
    });
}

/** squeue --json of 22.05 (plain values) and of 23.11 and later (`{set, infinite, number}`, lists of states). */
export function parseSqueueJson(output: string): JobRecord[] {
  let document: unknown;
  try {
    document = JSON.parse(output);
  } catch (cause) {
    throw unreadable('squeue --json', 'a JSON document', output.slice(0, 40), cause);
  }
  const { jobs } = document as { jobs?: unknown };
  if (!Array.isArray(jobs)) throw unreadable('squeue --json', 'a list `jobs`', typeof jobs);
  return jobs.flatMap((job) => fromJson(job as Record<string, unknown>));
}

function fromJson(job: Record<string, unknown>): JobRecord[] {
  const state = parseJobState(job.job_state);
  const epoch = (value: unknown) => parseTime(String(numberOf(value) ?? 0));
  const jobId = String(numberOf(job.job_id));
  const arrayJob = numberOf(job.array_job_id);
  const taskId = numberOf(job.array_task_id);
  const limit = numberOf(job.time_limit);
  const record = {
    name: typeof job.name === 'string' ? job.name : '',
    user: textOf(job.user_name),
    partition: textOf(job.partition),
    account: textOf(job.account),
    state,
    reason: textOf(job.state_reason),
    nodes: textOf(job.nodes),
    submitTime: epoch(job.submit_time),
    startTime: epoch(job.start_time),
    endTime: epoch(job.end_time),
    preemptTime: epoch(job.preempt_time),
    timeLimitSeconds: limit === undefined ? undefined : limit * 60,
    restarts: numberOf(job.restart_cnt),
    requeue: typeof job.requeue === 'boolean' ? job.requeue : undefined,
    batch: typeof job.batch_flag === 'boolean' ? job.batch_flag : undefined,
    ...(jobPhase(state) === 'ended' ? exitOf(job.exit_code) : {}),
    comment: textOf(job.comment),
    workDir: textOf(job.current_working_directory),
    output: textOf(job.standard_output),
  };
  if (arrayJob === undefined || arrayJob === 0)
    return [jobRecord({ id: jobId, array: undefined, ...record })];
  const tasks = taskId === undefined ? parseIndices(textOf(job.array_task_string) ?? '') : [taskId];
  // A pending array that Slurm abbreviated: one record under the array's own id.
  if (tasks === undefined) return [jobRecord({ id: String(arrayJob), array: undefined, ...record })];
  return tasks.map((task) =>
    jobRecord({ id: `${arrayJob}_${task}`, array: { jobId: String(arrayJob), taskId: task }, ...record }),
  );
}

/** A plain number, or one of `{set, infinite, number}`. Absent: null, unset, infinite. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const { set, infinite, number } = value as Record<string, unknown>;
  return set !== false && infinite !== true && typeof number === 'number' ? number : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return present(value);
  return undefined;
}

function exitOf(value: unknown): { exitCode?: number; exitSignal?: number } {
  if (typeof value === 'number') return splitWaitStatus(value);
  if (typeof value !== 'object' || value === null) return {};
  const { return_code, signal } = value as Record<string, unknown>;
  const exitCode = numberOf(return_code);
  const exitSignal = numberOf(
    (signal as Record<string, unknown> | undefined)?.id ??
      (signal as Record<string, unknown> | undefined)?.signal_id,
  );
  return { ...(exitCode !== undefined && { exitCode }), ...(exitSignal !== undefined && { exitSignal }) };
}

function unreadable(command: string, expected: string, got: string, cause?: unknown): SlurmError {
  return new SlurmError(`${command}: expected ${expected}, got ${got}`, {
    kind: 'unreadable-output',
    command,
    ...(cause !== undefined && { cause }),
  });
}
