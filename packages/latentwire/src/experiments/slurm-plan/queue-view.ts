/**
 * Records of arrays against the queue: where each cell is in Slurm, and jobs that no record knows. Nothing is written
 * here except what the queue has told (`settleRecords`), so that it is not asked for what it has forgotten.
 */
import { createHash } from 'node:crypto';
import { type JobRecord, jobPhase, submissionOf } from '@latentwire/slurm';
import { type ArrayRecord, writeArray } from './array-record.js';

/** Of a cell's latest task. */
export interface QueuedCell {
  /** `12_3`; null: its submission is not in the queue, and its number was never learnt. */
  readonly job: string | null;
  /** In Slurm's word; `UNKNOWN`: forgotten, or never submitted. */
  readonly state: string;
  readonly reason: string | null;
  readonly nodes: string | null;
  /** In the queue or running. */
  readonly live: boolean;
  readonly restarts: number;
  readonly generation: number;
  /** Submissions of it in that generation. */
  readonly submissions: number;
}

export interface QueueView {
  /** By name of the cell; absent: never submitted. */
  readonly cells: ReadonlyMap<string, QueuedCell>;
  /** Live array jobs of this directory, and the number of tasks of each that are live. */
  readonly arrays: ReadonlyMap<string, number>;
  /** Live guard jobs. */
  readonly guards: readonly JobRecord[];
  /** Live jobs of this directory without a record: nobody knows which cell their tasks are. */
  readonly strays: readonly string[];
  /** The records with what the queue says. */
  readonly records: readonly ArrayRecord[];
}

/** Word in the comment of all jobs of an experiment directory. */
export function directoryMark(directory: string): string {
  return `latentwire=${createHash('sha256').update(directory).digest('hex').slice(0, 16)}`;
}

export const GUARD_MARK = 'guard';

/** @param jobs everything that Slurm still has in memory */
export function viewQueue(
  directory: string,
  records: readonly ArrayRecord[],
  jobs: readonly JobRecord[],
): QueueView {
  const mark = directoryMark(directory);
  const own = jobs.filter(({ comment }) => comment?.split(' ').includes(mark));
  const isGuard = ({ comment }: JobRecord): boolean => comment?.split(' ').includes(GUARD_MARK) === true;
  const bySubmission = new Map<string, JobRecord[]>();
  for (const job of own) {
    const submission = submissionOf(job) ?? '';
    bySubmission.set(submission, [...(bySubmission.get(submission) ?? []), job]);
  }
  const cells = new Map<string, QueuedCell>();
  const arrays = new Map<string, number>();
  const updated = records.map((record) => {
    // A comment can be changed by people and by plugins of the site; the number cannot, but a new cluster counts anew.
    const tasks =
      record.job === null
        ? (bySubmission.get(record.submission) ?? [])
        : jobs.filter((job) => arrayOf(job) === record.job && job.name === record.name);
    const job = record.job ?? arrayOf(tasks[0]) ?? null;
    const known = new Map(tasks.map((task) => [task.array?.taskId, task]));
    // Tasks that wait may come as one entry under the array's own number.
    const waiting = tasks.find(({ array, state }) => array === undefined && isLive(state));
    const states = record.cells.map((name, index) => {
      const task = known.get(index) ?? waiting;
      const state = task?.state ?? record.ended?.[index] ?? 'UNKNOWN';
      const live = task !== undefined && isLive(task.state);
      const before = cells.get(name);
      if (live && job !== null) arrays.set(job, (arrays.get(job) ?? 0) + 1);
      if (before?.live === true && !live) return state;
      cells.set(name, {
        job: job === null ? null : `${job}_${index}`,
        state,
        reason: task?.reason ?? null,
        nodes: task?.nodes ?? null,
        live,
        restarts: task?.restarts ?? 0,
        generation: record.generation,
        submissions: before?.generation === record.generation ? before.submissions + 1 : 1,
      });
      return state;
    });
    const open = job !== null && arrays.has(job);
    return { ...record, job, ended: open ? null : states };
  });
  const recorded = new Set(updated.flatMap(({ job }) => (job === null ? [] : [job])));
  const live = own.filter(({ state }) => isLive(state));
  const strays = live.filter((job) => !isGuard(job)).map((job) => arrayOf(job)!);
  return {
    cells,
    arrays,
    guards: live.filter(isGuard),
    strays: [...new Set(strays)].filter((id) => !recorded.has(id)),
    records: updated,
  };
}

/** Keeps what the queue has told. @throws LatentWireError `io` */
export function settleRecords(directory: string, before: readonly ArrayRecord[], view: QueueView): void {
  for (const [index, record] of view.records.entries()) {
    if (JSON.stringify(record) !== JSON.stringify(before[index])) writeArray(directory, record);
  }
}

function arrayOf(job: JobRecord | undefined): string | undefined {
  return job?.array?.jobId ?? job?.id;
}

function isLive(state: JobRecord['state']): boolean {
  const phase = jobPhase(state);
  return phase === 'waiting' || phase === 'active';
}
