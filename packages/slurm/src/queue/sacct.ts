/**
 * History from the accounting database: text with a separator that no value holds. One record per run of a job, so a
 * job that was requeued twice has three; `--duplicates` is what shows them.
 *
 * Tasks of an array that never started have one row together, `12_[3-5%2]`. It is not found by the number of a task,
 * and it keeps naming tasks that have got rows of their own since.
 *
 * Not `--json`: in 22.05 it refuses our SLURM_TIME_FORMAT, always has all runs, and names waiting tasks by a bitmap.
 */
import { SlurmError } from '../errors.js';
import { checkedId, type SlurmRunner } from '../runner/index.js';
import { type JobRecord, jobRecord } from './job-record.js';
import { jobPhase, parseJobState } from './job-state.js';
import { parseDuration, parseExit, parseIndices, parseTime, present } from './slurm-values.js';

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

/** Jobs from accounting. @throws SlurmError `no-accounting` where the site keeps none, `accounting-unreachable` */
export async function readSacct(
  runner: SlurmRunner,
  { ids, everyRun = false }: HistoryFilter,
): Promise<JobRecord[]> {
  if (ids.length === 0) return [];
  const wanted = new Set(ids);
  const arrays = new Set(ids.flatMap((id) => /^(\d+)_/.exec(checkedId(id))?.[1] ?? []));
  const jobs = new Set([...arrays, ...ids.filter((id) => !id.includes('_'))]);
  const args = [
    ...['--noheader', '--parsable2', '--allocations', `--delimiter=${SEPARATOR}`],
    ...(everyRun ? ['--duplicates'] : []),
    ...[`--jobs=${[...jobs].join(',')}`, `--format=${COLUMNS.join(',')}`],
  ];
  const isSibling = ({ id, array }: JobRecord): boolean =>
    array !== undefined && arrays.has(array.jobId) && !wanted.has(id) && !wanted.has(array.jobId);
  return parseSacct(await runner.run('sacct', args, { effect: 'read' })).filter((job) => !isSibling(job));
}

/** @throws SlurmError `unreadable-output` */
export function parseSacct(output: string): JobRecord[] {
  const rows = output
    .split('\n')
    .filter((line) => line !== '')
    .map(rowOf);
  const own = new Set(rows.map(({ id }) => id));
  return rows.flatMap((row) => {
    const [, array, expression] = /^(\d+)_(\[.*\])$/.exec(row.id) ?? [];
    if (array === undefined) return [row];
    const tasks = parseIndices(expression!);
    if (tasks === undefined) return [{ ...row, id: array }];
    return tasks
      .map((taskId) => ({ ...row, id: `${array}_${taskId}`, array: { jobId: array, taskId } }))
      .filter(({ id }) => !own.has(id));
  });
}

function rowOf(line: string): JobRecord {
  const cells = line.split(SEPARATOR);
  if (cells.length !== COLUMNS.length) {
    throw new SlurmError(`sacct: expected ${COLUMNS.length} columns, got ${cells.length}`, {
      kind: 'unreadable-output',
      command: 'sacct --parsable2',
    });
  }
  const [id, stateText, exit, user, partition, account, nodes] = cells;
  const [submit, start, end, limit, reason, workDir, name] = cells.slice(7);
  const task = /^(\d+)_(\d+)$/.exec(id!);
  const state = parseJobState(stateText);
  const phase = jobPhase(state);
  return jobRecord({
    id: id!,
    array: task === null ? undefined : { jobId: task[1]!, taskId: Number(task[2]) },
    name: name!,
    user: present(user),
    partition: present(partition),
    account: present(account),
    state,
    // Later it still says what the job once waited for, never why it ended.
    reason: phase === 'waiting' ? present(reason) : undefined,
    nodes: nodes === 'None assigned' ? undefined : present(nodes),
    submitTime: parseTime(submit),
    startTime: parseTime(start),
    endTime: parseTime(end),
    timeLimitSeconds: parseDuration(limit),
    workDir: present(workDir),
    ...(phase === 'ended' ? parseExit(exit) : {}),
  });
}
