/**
 * What the last `latentwire run PLAN --slurm` asked for, whole: cells with their settings, gates, cluster profile. Tasks
 * that end go by this and not by the plan file, which people go on editing (and the next `run` reads).
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { ClusterProfile } from '@latentwire/slurm';
import { LatentWireError } from '../../errors.js';
import { writeJsonAtomic } from '../../telemetry/index.js';
import type { Plan } from '../plan/expand.js';
import { planFileName, slurmFolder } from '../state/experiment-folder.js';

const FORMAT = 'latentwire-slurm-plan/1';

export interface SubmittedPlan {
  readonly plan: Plan;
  readonly profile: ClusterProfile;
  /** Tasks of one array that run at once; null: as the profile says. */
  readonly atOnce: number | null;
  readonly ignoreGates: boolean;
  /** Where jobs run, unless the profile says. */
  readonly workDir: string;
  /** How often a person has asked for it. */
  readonly generation: number;
  /** Cancelled: tasks that end submit nothing more. */
  readonly cancelled: boolean;
}

/** File of a plan, in `.experiment/slurm/plans/` of its directory. */
export function submittedPlanFile(directory: string, name: string): string {
  return path.join(slurmFolder(directory), 'plans', planFileName(name));
}

/** @throws LatentWireError `io` */
export function writeSubmittedPlan(submitted: SubmittedPlan): string {
  const file = submittedPlanFile(submitted.plan.directory, submitted.plan.name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeJsonAtomic(file, { format: FORMAT, ...submitted });
  return file;
}

/** Undefined when nobody has submitted it yet. @throws LatentWireError `format` */
export function readSubmittedPlan(file: string): SubmittedPlan | undefined {
  if (!existsSync(file)) return undefined;
  let document: SubmittedPlan & { readonly format?: unknown };
  try {
    document = JSON.parse(readFileSync(file, 'utf8')) as typeof document;
  } catch (error) {
    throw damaged(file, (error as Error).message, error);
  }
  if (document.format !== FORMAT) throw damaged(file, `format ${JSON.stringify(document.format)}`);
  return document;
}

function damaged(file: string, why: string, cause?: unknown): LatentWireError {
  return new LatentWireError(`${file} is no submitted plan: ${why}`, {
    code: 'format',
    hint: 'remove it and run `latentwire run PLAN --slurm` again: the runs themselves are the state',
    ...(cause !== undefined && { cause }),
  });
}
