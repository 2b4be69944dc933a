/** One job, or one task of an array, as Slurm tells of it; the same shape from squeue, sacct, scontrol and jobcomp. */
import type { JobState } from './job-state.js';

export interface JobRecord {
  /** What commands take: `12`, or `12_3` for an array task. */
  readonly id: string;
  readonly array?: { readonly jobId: string; readonly taskId: number };
  readonly name: string;
  readonly user?: string;
  readonly partition?: string;
  readonly account?: string;
  readonly state: JobState;
  /** Why it waits or ended, in Slurm's word: `Resources`, `TimeLimit`, …; absent when there is none. */
  readonly reason?: string;
  readonly nodes?: string;
  readonly submitTime?: Date;
  readonly startTime?: Date;
  /** When it ended, or will at the latest; during the grace time of a preemption the end of that. */
  readonly endTime?: Date;
  /** When it was chosen for preemption in this run of it; absent: it was not. */
  readonly preemptTime?: Date;
  /** Seconds; absent: unlimited or unknown. */
  readonly timeLimitSeconds?: number;
  readonly restarts?: number;
  /** Whether Slurm may start it again. */
  readonly requeue?: boolean;
  /** False for interactive jobs (salloc, srun), which nothing can start again. */
  readonly batch?: boolean;
  readonly exitCode?: number;
  readonly exitSignal?: number;
  readonly comment?: string;
  readonly workDir?: string;
  /** File of stdout, with patterns filled in where the source does so. */
  readonly output?: string;
}

/** Leaves out what is undefined, for records that are compared and printed. */
export function jobRecord(fields: { [K in keyof JobRecord]: JobRecord[K] | undefined }): JobRecord {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as unknown as JobRecord;
}
