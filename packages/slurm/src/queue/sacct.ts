/**
 * History from the accounting database: text with a separator that no value holds. One record per run of a job, so a
 * job that was requeued twice has three; `--duplicates` is what shows them.
 */

import { SlurmError } from '../errors.js';
import type { SlurmRunner } from '../runner/index.js';
import { type JobRecord, jobRecord } from './job-record.js';
import { parseJobState } from './job-state.js';
import { parseDuration, parseExit, parseTime, present } from './slurm-values.js';

const COLUMNS = [
  'JobID',
  'State',
  'ExitCode',
  'User',
  'Partition',
  'Account',
  'NodeList',
  'Submit',
  'Start',
  'End',
  'Timelimit',
  'Reason',
  'WorkDir',
  'JobName',
];
const SEPARATOR = '\x1f';

export interface HistoryFilter {
  readonly ids: readonly string[];
  /** Earlier runs of requeued jobs too, oldest first. */
  readonly everyRun?: boolean;
}

/** Jobs from accounting. @throws SlurmError `no-accounting` where the site keeps none */
export async function readSacct(
  runner: SlurmRunner,
  { ids, everyRun = false }: HistoryFilter,
): Promise<JobRecord[]> {
  if (ids.length === 0) return [];
  const args = [
    ...['--noheader', '--parsable2', '--allocations', `--delimiter=${SEPARATOR}`],
    ...(everyRun ? ['--duplicates'] : []),
    ...[`--jobs=${ids.join(',')}`, `--format=${COLUMNS.join(',')}`],
  ];
  return parseSacct(await runner.run('sacct', args, { effect: 'read' }));
}

/** @throws SlurmError `unreadable-output` */
export function parseSacct(output: string): JobRecord[] {
  const records: JobRecord[] = [];
  for (const line of output.split('\n')) {
    if (line === '') continue;
    const cells = line.split(SEPARATOR);
    if (cells.length !== COLUMNS.length) {
      throw new SlurmError(`sacct: expected ${COLUMNS.length} columns, got ${cells.length}`, {
        kind: 'unreadable-output',
        command: 'sacct --parsable2',
      });
    }
    const [id, state, exit, user, partition, account, nodes] = cells;
    const [submit, start, end, limit, reason, workDir, name] = cells.slice(7);
    const task = /^(\d+)_(\d+)$/.exec(id!);
    records.push(
      jobRecord({
        id: id!,
        array: task === null ? undefined : { jobId: task[1]!, taskId: Number(task[2]) },
        name: name!,
        user: present(user),
        partition: present(partition),
        account: present(account),
        state: parseJobState(state),
        reason: present(reason),
        nodes: nodes === 'None assigned' ? undefined : present(nodes),
        submitTime: parseTime(submit),
        startTime: parseTime(start),
        endTime: parseTime(end),
        timeLimitSeconds: parseDuration(limit),
        workDir: present(workDir),
        ...parseExit(exit),
      }),
    );
  }
  return records;
}
