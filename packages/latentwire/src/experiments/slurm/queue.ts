/** The commands' view of Slurm: submit, look, cancel, requeue, read a job's output. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  cancelJobs,
  createRunner,
  findJobs,
  type JobRecord,
  type JobSpec,
  readJob,
  readSqueue,
  renderScript,
  requeueJob,
  SlurmError,
  type SlurmRunner,
  submitJob,
  testSubmit,
} from '@latentwire/slurm';
import { LatentWireError } from '../../errors.js';
import type { Logger } from '../../telemetry/index.js';
import { withSlurmErrors } from './failure.js';

export interface SlurmQueue {
  /** The job's id. */
  submit(job: JobSpec): Promise<string>;
  /** Whether Slurm would take the job; nothing is queued. */
  test(job: JobSpec): Promise<void>;
  /** Jobs by id, or all that are still in the queue of a user. */
  look(ids: readonly string[], user?: string): Promise<JobRecord[]>;
  requeue(ids: readonly string[]): Promise<void>;
  cancel(ids: readonly string[]): Promise<void>;
  /** The file that a job's output goes to. */
  outputOf(id: string): Promise<string>;
}

/** Slurm as this machine's commands reach it. Errors are LatentWireErrors. */
export function openSlurmQueue(logger: Logger, runner: SlurmRunner = loggedRunner(logger)): SlurmQueue {
  return {
    submit: (job) => withSlurmErrors(() => submitJob(runner, job)),
    test: (job) => withSlurmErrors(() => testSubmit(runner, renderScript(job))),
    look: (ids, user) =>
      withSlurmErrors(() =>
        ids.length > 0 ? findJobs(runner, ids) : readSqueue(runner, user === undefined ? {} : { user }),
      ),
    requeue: (ids) =>
      withSlurmErrors(async () => {
        for (const id of ids) await requeueJob(runner, id);
      }),
    cancel: (ids) => withSlurmErrors(() => cancelJobs(runner, ids)),
    outputOf: (id) => withSlurmErrors(() => findOutput(runner, id)),
  };
}

/** Slurm's commands; says so when one has to be tried again. */
export function loggedRunner(logger: Logger): SlurmRunner {
  return createRunner({
    onRetry: (error, pauseMs) => logger.warn(`${error.message}; again in ${pauseMs / 1000} s`),
  });
}

async function findOutput(runner: SlurmRunner, id: string): Promise<string> {
  let job: JobRecord;
  try {
    job = await readJob(runner, id);
  } catch (error) {
    if (!(error instanceof SlurmError) || error.kind !== 'no-such-job') throw error;
    throw new LatentWireError(`Slurm does not know job ${id} any more, and so not where its output is`, {
      code: 'input',
      hint: 'profiles put it at slurm/output/NAME-ID.out; the run itself keeps logs/latest.log',
      cause: error,
    });
  }
  const file = job.output && path.resolve(job.workDir ?? '.', job.output);
  if (file !== undefined && existsSync(file)) return file;
  throw new LatentWireError(
    file === undefined ? `job ${id} writes no output file` : `the output of job ${id} is not here: ${file}`,
    {
      code: 'state',
      hint: job.state === 'PENDING' ? 'the job has not started yet' : 'is its disk mounted here?',
    },
  );
}
