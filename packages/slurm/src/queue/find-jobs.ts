/** Jobs by id, from wherever they are still known: the queue, then accounting, then the completion file. */
import { SlurmError } from '../errors.js';
import type { SlurmRunner } from '../runner/index.js';
import type { JobRecord } from './job-record.js';
import { jobPhase } from './job-state.js';
import { readJobcomp } from './jobcomp.js';
import { readSacct } from './sacct.js';
import { readConfig } from './scontrol.js';
import { readSqueue } from './squeue.js';

/**
 * The latest state of each job; those nobody knows are missing from the result. `UNKNOWN`: accounting has it as waiting
 * or running, and the controller does not know it (cancelled before it started, as one task of several; or lost).
 * @param ids jobs, arrays or array tasks; an array gives all its tasks
 */
export async function findJobs(runner: SlurmRunner, ids: readonly string[]): Promise<JobRecord[]> {
  const queued = await readSqueue(runner, { ids });
  const inQueue = new Set(queued.map(({ id }) => id));
  const arrays = new Set(queued.map(({ array }) => array?.jobId));
  const missing = ids.filter((id) => !inQueue.has(id) && !arrays.has(id));
  // Slurm forgets the tasks of an array one by one.
  const partly = ids.filter((id) => arrays.has(id));
  if (missing.length + partly.length === 0) return queued;
  let history: JobRecord[];
  try {
    history = await readHistory(runner, [...missing, ...partly]);
  } catch (error) {
    if (missing.length > 0 || !(error instanceof SlurmError)) throw error;
    return queued;
  }
  const past = history
    .filter(({ id }) => !inQueue.has(id))
    .map((job): JobRecord => (jobPhase(job.state) === 'ended' ? job : { ...job, state: 'UNKNOWN' }));
  return [...queued, ...past];
}

/**
 * Jobs from accounting, or from the completion file where there is none; empty where a site keeps neither.
 * @throws SlurmError `accounting-unreachable`, …
 */
export async function readHistory(runner: SlurmRunner, ids: readonly string[]): Promise<JobRecord[]> {
  try {
    return await readSacct(runner, { ids });
  } catch (error) {
    if (!isWithoutAccounting(error)) throw error;
  }
  const { JobCompType, JobCompLoc } = await readConfig(runner);
  if (JobCompType !== 'jobcomp/filetxt' || JobCompLoc === undefined) return [];
  try {
    const runs = await readJobcomp(JobCompLoc, ids);
    return [...new Map(runs.map((job) => [job.id, job])).values()];
  } catch (error) {
    // The file often belongs to the controller's machine or to root.
    if (isWithoutAccounting(error)) return [];
    throw error;
  }
}

function isWithoutAccounting(error: unknown): boolean {
  return error instanceof SlurmError && (error.kind === 'no-accounting' || error.kind === 'not-installed');
}
