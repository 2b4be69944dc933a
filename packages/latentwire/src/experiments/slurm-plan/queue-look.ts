/**
 * Looks at the queue for the arrays of a directory; and at accounting for what the queue has forgotten, where somebody has
 * to know how a task ended. That is asked for once an array has ended, and before for cells that may start again only:
 * databases of large sites are slow, and every finished task is forgotten after some minutes.
 */
import { jobPhase, readHistory, readSqueue, SlurmError, type SlurmRunner } from '@latentwire/slurm';
import { readArrays } from './array-record.js';
import { type QueueView, settleRecords, viewQueue } from './queue-view.js';

/** What is in the queue now. Writes nothing. */
export async function queueNow(directory: string, runner: SlurmRunner): Promise<QueueView> {
  return viewQueue(directory, readArrays(directory), await readSqueue(runner));
}

/**
 * The queue, and how tasks ended that it has forgotten, as far as accounting knows. What is learnt is recorded.
 * @param mayStart whether a cell, by its name, is neither done nor failed nor at work
 */
export async function queueAndHistory(
  directory: string,
  runner: SlurmRunner,
  mayStart: (cell: string) => boolean,
): Promise<QueueView> {
  const records = readArrays(directory);
  const jobs = await readSqueue(runner);
  const now = viewQueue(directory, records, jobs);
  const forgotten = now.records.flatMap(({ job, ended, cells }, index) => {
    if (job === null || records[index]!.ended !== null) return [];
    const isOpen = (name: string, task: number): boolean => {
      const last = now.cells.get(name);
      return last?.job === `${job}_${task}` && last.state === 'UNKNOWN' && mayStart(name);
    };
    return (ended ?? []).includes('UNKNOWN') || cells.some(isOpen) ? [job] : [];
  });
  if (forgotten.length === 0) {
    settleRecords(directory, records, now);
    return now;
  }
  try {
    const history = await readHistory(runner, forgotten);
    const inQueue = new Set(jobs.map(({ id }) => id));
    const past = history.filter(({ id, state }) => !inQueue.has(id) && jobPhase(state) === 'ended');
    const view = viewQueue(directory, records, [...jobs, ...past]);
    settleRecords(directory, records, view);
    return view;
  } catch (error) {
    if (!(error instanceof SlurmError)) throw error;
    // Accounting is away. Nothing is recorded of these arrays, so that they are asked for again.
    const unsettled = now.records.map((record) =>
      record.job !== null && forgotten.includes(record.job) ? { ...record, ended: null } : record,
    );
    settleRecords(directory, records, { ...now, records: unsettled });
    return now;
  }
}
