/** Jobs by id, from wherever they are still known: the queue, then accounting, then the completion file. */
import { SlurmError } from '../errors.js';
import type { SlurmRunner } from '../runner/index.js';
import type { JobRecord } from './job-record.js';
import { readJobcomp } from './jobcomp.js';
import { readSacct } from './sacct.js';
import { readConfig } from './scontrol.js';
import { readSqueue } from './squeue.js';

/**
 * The latest state of each job; those nobody knows are missing from the result.
 * @param ids jobs, arrays or array tasks; an array gives all its tasks
 */
export async function findJobs(runner: SlurmRunner, ids: readonly string[]): Promise<JobRecord[]> {
  const queued = await readSqueue(runner, { ids });
  const known = new Set(queued.flatMap((job) => [job.id, job.array?.jobId ?? job.id]));
  const missing = ids.filter((id) => !known.has(id));
  return missing.length === 0 ? queued : [...queued, ...(await readHistory(runner, missing))];
}

async function readHistory(runner: SlurmRunner, ids: readonly string[]): Promise<JobRecord[]> {
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
