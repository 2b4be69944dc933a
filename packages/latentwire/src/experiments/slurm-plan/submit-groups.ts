/**
 * Submits groups of cells as arrays, each recorded before and after. Where the queue has no room for a whole array, as
 * much of it as there is room for; what Slurm refuses for another reason ends it, with what was submitted so far named.
 */
import { mkdirSync } from 'node:fs';
import {
  newSubmission,
  renderScript,
  SlurmError,
  type SlurmRunner,
  submitJob,
  testSubmit,
} from '@latentwire/slurm';
import { arrayJob, arrayName, type CellGroup, outputFolder } from './array-job.js';
import { type ArrayRecord, forgetArray, prepareArray, writeArray } from './array-record.js';
import type { SubmittedPlan } from './submitted-plan.js';

export interface SubmittedArray {
  readonly job: string;
  readonly phase: string;
  readonly cells: readonly string[];
}

export interface Submission {
  readonly arrays: readonly SubmittedArray[];
  /** What Slurm said when it took no more. */
  readonly full: SlurmError | undefined;
  /** Another refusal, after which nothing more was tried. */
  readonly refused: unknown;
}

export interface Submitter {
  readonly runner: SlurmRunner;
  readonly submitted: SubmittedPlan;
  readonly planFile: string;
  readonly program: readonly string[];
}

/**
 * Asks Slurm about each array without submitting any, so that no plan is submitted by half. Those that it may refuse come
 * first in the result: `--test-only` says "not available" also while nodes are down, where sbatch would wait for them.
 * @param strict throws for these too
 * @throws SlurmError
 */
export async function testGroups(
  submitter: Submitter,
  groups: readonly CellGroup[],
  strict: boolean,
): Promise<CellGroup[]> {
  const [doubtful, fine]: [CellGroup[], CellGroup[]] = [[], []];
  for (const group of groups) {
    const spec = arrayJob(submitter.submitted, group, newSubmission(), submitter.program);
    try {
      await testSubmit(submitter.runner, renderScript(spec));
      fine.push(group);
    } catch (error) {
      const kind = error instanceof SlurmError ? error.kind : undefined;
      if (kind === 'impossible-request' && !strict) doubtful.push(group);
      // A full queue is no reason to refuse a plan: what finds no room now finds it later.
      else if (kind === 'limit-reached') fine.push(group);
      else throw error;
    }
  }
  return [...doubtful, ...fine];
}

export async function submitGroups(submitter: Submitter, groups: readonly CellGroup[]): Promise<Submission> {
  mkdirSync(outputFolder(submitter.submitted.plan.directory), { recursive: true });
  const arrays: SubmittedArray[] = [];
  let full: SlurmError | undefined;
  const submit = async (group: CellGroup): Promise<void> => {
    if (full !== undefined) return;
    try {
      arrays.push(await submitOne(submitter, group));
    } catch (error) {
      if (!(error instanceof SlurmError) || error.kind !== 'limit-reached') throw error;
      const half = Math.ceil(group.cells.length / 2);
      if (group.cells.length === 1) full = error;
      else
        for (const cells of [group.cells.slice(0, half), group.cells.slice(half)])
          await submit({ ...group, cells });
    }
  };
  try {
    for (const group of groups) await submit(group);
  } catch (refused) {
    return { arrays, full, refused };
  }
  return { arrays, full, refused: undefined };
}

async function submitOne(submitter: Submitter, group: CellGroup): Promise<SubmittedArray> {
  const { runner, submitted, planFile, program } = submitter;
  const { plan, generation } = submitted;
  const submission = newSubmission();
  const spec = arrayJob(submitted, group, submission, program);
  const record: ArrayRecord = {
    submission,
    ...{ plan: plan.name, generation, phase: group.phase, name: arrayName(plan, group.phase) },
    created_at: new Date().toISOString(),
    job: null,
    cells: group.cells.map(({ name }) => name),
    ended: null,
  };
  prepareArray(record, plan, planFile, group.cells);
  let job: string;
  try {
    job = await submitJob(runner, spec, submission);
  } catch (error) {
    // Without an answer it may be in the queue all the same; then the record finds it there.
    const unclear = error instanceof SlurmError && ['timed-out', 'unreadable-output'].includes(error.kind);
    if (!unclear) forgetArray(plan.directory, submission);
    throw error;
  }
  writeArray(plan.directory, { ...record, job });
  return { job, phase: group.phase, cells: record.cells };
}
