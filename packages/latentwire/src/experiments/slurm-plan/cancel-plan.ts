/** Ends all jobs of a plan; what they had done is saved, and `latentwire run PLAN --slurm` goes on from there. */
import { cancelJobs, type SlurmRunner } from '@latentwire/slurm';
import type { Logger } from '../../telemetry/index.js';
import { withSlurmErrors } from '../slurm/failure.js';
import { loggedRunner } from '../slurm/queue.js';
import { guardName } from './array-job.js';
import { queueNow } from './queue-look.js';
import { locked } from './reconcile.js';
import { readSubmittedPlan, submittedPlanFile, writeSubmittedPlan } from './submitted-plan.js';

export interface CancelledPlan {
  readonly jobs: readonly string[];
  /** Tasks that waited or ran. */
  readonly tasks: number;
}

/** @param plan its name; jobs that other plans submitted for the same directory stay. @throws LatentWireError */
export function cancelPlan(
  directory: string,
  plan: string,
  logger: Logger,
  runner: SlurmRunner = loggedRunner(logger),
): Promise<CancelledPlan> {
  return locked(directory, async () => {
    // First, so that a task which ends meanwhile submits nothing more.
    const submitted = readSubmittedPlan(submittedPlanFile(directory, plan));
    if (submitted !== undefined) writeSubmittedPlan({ ...submitted, cancelled: true });
    return withSlurmErrors(async () => {
      const view = await queueNow(directory, runner);
      const others = new Set(
        view.records.flatMap((record) => (record.plan === plan || record.job === null ? [] : [record.job])),
      );
      const arrays = [...view.arrays.keys()].filter((id) => !others.has(id));
      const guards = view.guards.flatMap(({ id, name }) => (name === guardName(plan) ? [id] : []));
      const jobs = [...guards, ...arrays, ...view.strays];
      await cancelJobs(runner, jobs);
      return { jobs, tasks: arrays.reduce((sum, id) => sum + view.arrays.get(id)!, 0) };
    });
  });
}
