/**
 * One small job that waits for the end of all arrays of a plan and then looks after it as a task would. Tasks do that at
 * their own end; the guard is for ends that leave them no time (killed together with the batch shell), and for a queue
 * that had no room. It takes its place before the arrays, held, so that a full queue cannot keep it out.
 */
import { cancelJobs, releaseJobs, SlurmError, startAfter, submitJob } from '@latentwire/slurm';
import type { Logger } from '../../telemetry/index.js';
import { guardJob, guardName } from './array-job.js';
import type { QueueView } from './queue-view.js';
import type { Submitter } from './submit-groups.js';

export interface Guard {
  /** Whether there is one. */
  isThere(): boolean;
  /** It waits for these, or is not needed where there are none. */
  watch(arrays: readonly string[]): Promise<void>;
  /** It gives its place up. */
  remove(): Promise<void>;
}

/** The guard of a plan, submitted where there is none. Never fails: a plan goes on without one. */
export async function takeGuard(
  { runner, submitted, planFile, program }: Submitter,
  view: QueueView,
  logger: Logger,
): Promise<Guard> {
  const quietly = async (action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof SlurmError)) throw error;
      logger.warn(`no guard job (${error.message}): should a task be killed outright, run the plan again`);
    }
  };
  const me = process.env.SLURM_JOB_ID;
  const name = guardName(submitted.plan.name);
  const present = view.guards.find((job) => job.id !== me && job.name === name);
  // Whoever submitted it did not live to let it go.
  const held = present?.reason?.startsWith('JobHeld') === true;
  let id = held ? present?.id : undefined;
  if (present === undefined) {
    await quietly(async () => {
      id = await submitJob(runner, guardJob(submitted, planFile, program));
    });
  }
  const remove = async (): Promise<void> => {
    const leaving = id;
    id = undefined;
    if (leaving !== undefined) await quietly(() => cancelJobs(runner, [leaving]));
  };
  return {
    isThere: () => present !== undefined || id !== undefined,
    remove,
    async watch(arrays) {
      const watching = id;
      if (watching === undefined) return;
      if (arrays.length === 0) return remove();
      await quietly(async () => {
        await startAfter(runner, watching, arrays);
        await releaseJobs(runner, [watching]);
      });
    },
  };
}
