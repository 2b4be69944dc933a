/** Commands that change queued jobs. */
import { checkedId, type SlurmRunner } from '../runner/index.js';

/**
 * Puts a running job back in the queue under the same id. All its processes get SIGTERM at once, so save first.
 * For an array task give `12_3`: the array's own id would requeue all of its tasks.
 * @throws SlurmError `not-requeueable`, `no-such-job`, …
 */
export async function requeueJob(runner: SlurmRunner, id: string): Promise<void> {
  await runner.run('scontrol', ['requeue', checkedId(id)]);
}

/** Cancels jobs; those that ended already are passed over in silence, as scancel does. */
export async function cancelJobs(runner: SlurmRunner, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await runner.run('scancel', ids.map(checkedId), { effect: 'read' });
}

/** Lets a job that waits start only when all these have ended, however they did. */
export async function startAfter(runner: SlurmRunner, id: string, jobs: readonly string[]): Promise<void> {
  const dependency = `afterany:${jobs.map(checkedId).join(':')}`;
  await runner.run('scontrol', ['update', `JobId=${checkedId(id)}`, `Dependency=${dependency}`], {
    effect: 'read',
  });
}

/** Lets jobs go that were submitted on hold. */
export async function releaseJobs(runner: SlurmRunner, ids: readonly string[]): Promise<void> {
  for (const id of ids) await runner.run('scontrol', ['release', checkedId(id)], { effect: 'read' });
}
