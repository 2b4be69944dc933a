/**
 * Hands a script to sbatch, once. When sbatch loses the controller's answer nobody knows whether the job exists; then
 * the queue is searched for this submission's own mark before it is tried again, so no job is ever there twice.
 */
import { randomBytes } from 'node:crypto';
import { SlurmError } from '../errors.js';
import { type JobRecord, readSqueue } from '../queue/index.js';
import type { SlurmRunner } from '../runner/index.js';
import type { JobSpec } from '../script/index.js';
import { renderScript } from '../script/index.js';

const MARK = 'submission=';
const SUBMIT_TRIES = 4;
const PAUSE_MS = 2_000;

/** A name that no other submission has. */
export function newSubmission(): string {
  return randomBytes(9).toString('base64url');
}

/**
 * Submits a job. @returns its id; for an array the id of the whole array
 * @param submission to find the job again by (`submissionOf`), also when this process does not live to see its id
 * @throws SlurmError: `limit-reached`, `invalid-account`, `impossible-request`, `controller-unreachable`, …
 */
export async function submitJob(
  runner: SlurmRunner,
  spec: JobSpec,
  submission = newSubmission(),
): Promise<string> {
  const mark = `${MARK}${submission}`;
  const comment = spec.comment === undefined ? mark : `${spec.comment} ${mark}`;
  return submitScript(runner, renderScript({ ...spec, comment }), { mark });
}

/** The submission that a job came from; undefined: not from `submitJob`, or its comment was changed. */
export function submissionOf({ comment }: JobRecord): string | undefined {
  const word = comment?.split(' ').find((text) => text.startsWith(MARK));
  return word?.slice(MARK.length);
}

/**
 * Submits the text of a script.
 * @param options.mark a text that only this script's `--comment` holds; without it an unclear answer is an error
 */
export async function submitScript(
  runner: SlurmRunner,
  script: string,
  options: { readonly mark?: string; readonly args?: readonly string[] } = {},
): Promise<string> {
  const { mark, args = [] } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return jobIdOf(await runner.run('sbatch', ['--parsable', ...args], { input: script }));
    } catch (error) {
      if (!(error instanceof SlurmError) || error.kind !== 'timed-out' || mark === undefined) throw error;
      const found = await findMarked(runner, mark);
      if (found !== undefined) return found;
      if (attempt === SUBMIT_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** Asks Slurm whether it would take a script and when it would start; nothing is queued. @throws SlurmError */
export async function testSubmit(runner: SlurmRunner, script: string): Promise<void> {
  await runner.run('sbatch', ['--test-only'], { input: script, effect: 'read' });
}

async function findMarked(runner: SlurmRunner, mark: string): Promise<string | undefined> {
  const jobs = await readSqueue(runner);
  const found = jobs.find((job) => job.comment?.split(' ').includes(mark));
  return found === undefined ? undefined : (found.array?.jobId ?? found.id);
}

/** `6` or, on a federation, `6;cluster`. */
function jobIdOf(output: string): string {
  const id = /^(\d+)(?:;|$)/m.exec(output.trim())?.[1];
  if (id !== undefined) return id;
  throw new SlurmError(`sbatch --parsable: expected a job id, got ${JSON.stringify(output.trim())}`, {
    kind: 'unreadable-output',
    command: 'sbatch --parsable',
  });
}
