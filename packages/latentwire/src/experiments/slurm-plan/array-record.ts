/**
 * Arrays that were submitted: which task is which cell. Written before sbatch, completed with the job's number after it;
 * where the process died in between, the array is found in the queue by the name of the submission, which is also in the
 * job's comment. What the tasks are to do stands in a file of its own that never changes.
 *
 *   .experiment/slurm/arrays/SUBMISSION.json         this record
 *   .experiment/slurm/arrays/SUBMISSION.cells.json   the cells with all their settings, task i is the i-th
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { LatentWireError } from '../../errors.js';
import { type JsonRecord, writeJsonAtomic } from '../../telemetry/index.js';
import type { Cell, Plan } from '../plan/expand.js';
import type { Retries } from '../plan/plan-schema.js';
import { slurmFolder } from '../state/experiment-folder.js';

export interface ArrayRecord {
  readonly submission: string;
  readonly plan: string;
  /** Of the plan, when it was submitted: see `SubmittedPlan`. */
  readonly generation: number;
  readonly phase: string;
  /** Of the job. */
  readonly name: string;
  readonly created_at: string;
  /** Number of the array job; null: sbatch has not answered (yet). */
  readonly job: string | null;
  /** Names of the cells; the place in the list is the index of the array task. */
  readonly cells: readonly string[];
  /** States of the tasks in the end, by index; null: some may still be in the queue. */
  readonly ended: readonly string[] | null;
}

/** What the tasks of an array need. */
export interface ArrayCells {
  readonly directory: string;
  /** File of the submitted plan, for what comes after. */
  readonly plan: string;
  readonly retries: Retries;
  readonly cells: readonly Cell[];
}

function arraysFolder(directory: string): string {
  return path.join(slurmFolder(directory), 'arrays');
}

function recordFile(directory: string, submission: string): string {
  return path.join(arraysFolder(directory), `${submission}.json`);
}

export function cellsFile(directory: string, submission: string): string {
  return path.join(arraysFolder(directory), `${submission}.cells.json`);
}

/** Notes an array that is about to be submitted. @throws LatentWireError `io` */
export function prepareArray(
  record: ArrayRecord,
  plan: Plan,
  planFile: string,
  cells: readonly Cell[],
): void {
  const { directory, retries } = plan;
  mkdirSync(arraysFolder(directory), { recursive: true });
  const content: ArrayCells = { directory, plan: planFile, retries, cells };
  writeJsonAtomic(cellsFile(directory, record.submission), { ...content });
  writeArray(directory, record);
}

/** @throws LatentWireError `io` */
export function writeArray(directory: string, record: ArrayRecord): void {
  writeJsonAtomic(recordFile(directory, record.submission), { ...record });
}

/** Forgets an array that Slurm surely did not take. */
export function forgetArray(directory: string, submission: string): void {
  rmSync(recordFile(directory, submission), { force: true });
  rmSync(cellsFile(directory, submission), { force: true });
}

/** All arrays of a directory, oldest first. @throws LatentWireError `format` */
export function readArrays(directory: string): ArrayRecord[] {
  const folder = arraysFolder(directory);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json') && !name.endsWith('.cells.json') && !name.startsWith('.'))
    .map((name) => readJson(path.join(folder, name)) as unknown as ArrayRecord)
    .sort((a, b) => a.created_at.localeCompare(b.created_at));
}

/** @throws LatentWireError `format`, or `state` when it is gone */
export function readArrayCells(file: string): ArrayCells {
  if (!existsSync(file)) {
    throw new LatentWireError(`the cells of this array are not there any more: ${file}`, {
      code: 'state',
      hint: 'cancel the job, then submit the plan again: latentwire run PLAN --slurm',
    });
  }
  return readJson(file) as unknown as ArrayCells;
}

function readJson(file: string): JsonRecord {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JsonRecord;
  } catch (error) {
    throw new LatentWireError(`${file} is damaged: ${(error as Error).message}`, {
      code: 'format',
      hint: 'when no job of the plan is in the queue, remove it and run `latentwire run PLAN --slurm` again',
      cause: error,
    });
  }
}
