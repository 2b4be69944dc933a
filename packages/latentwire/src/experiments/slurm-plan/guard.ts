/**
 * One small job that waits for the end of all arrays of a plan and then looks after it as a task would. Tasks do that at
 * their own end; the guard is for ends that leave them no time: killed together with the batch shell, or cancelled.
 */
import { SlurmError, submitJob } from '@latentwire/slurm';
import type { Logger } from '../../telemetry/index.js';
import { guardJob } from './array-job.js';
import type { QueueView } from './queue-view.js';
import type { SubmittedArray, Submitter } from './submit-groups.js';

/** Submits a guard where there is none. Never fails: a plan goes on without one. */
export async function keepGuard(
  { runner, submitted, planFile, program }: Submitter,
  view: QueueView,
  arrays: readonly SubmittedArray[],
  logger: Logger,
): Promise<void> {
  const after = [...new Set([...view.arrays.keys(), ...arrays.map(({ job }) => job)])];
  const me = process.env.SLURM_JOB_ID;
  if (after.length === 0 || view.guards.some(({ id }) => id !== me)) return;
  try {
    await submitJob(runner, guardJob(submitted, planFile, after, program));
  } catch (error) {
    if (!(error instanceof SlurmError)) throw error;
    logger.warn(`no guard job (${error.message}): should a task be killed outright, run the plan again`);
  }
}
