/**
 * Files of an experiment directory beside its run directories. Everything here can be lost without losing a
 * result: the runs themselves are the state.
 *
 *   runs/main_experiment/
 *   ├── core-latent_len=32-d_z=256-s42-1a2b3c4d/     a run directory (one cell)
 *   └── .experiment/
 *       ├── plans/main.json                          what was asked for, for aggregate and report
 *       ├── claims/…                                 who works on what
 *       ├── slurm/…                                  what was submitted to Slurm
 *       └── cells/NAME/{attempts.jsonl, output.log, config.json}
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { writeJsonAtomic } from '../../telemetry/index.js';
import type { Plan } from '../plan/expand.js';
import type { PhaseKind } from '../plan/plan-schema.js';

const FOLDER = '.experiment';

export interface CellFiles {
  readonly folder: string;
  readonly attempts: string;
  /** Everything the attempts printed. */
  readonly output: string;
  readonly config: string;
}

export function cellFiles(directory: string, name: string): CellFiles {
  const folder = path.join(directory, FOLDER, 'cells', name);
  return {
    folder,
    attempts: path.join(folder, 'attempts.jsonl'),
    output: path.join(folder, 'output.log'),
    config: path.join(folder, 'config.json'),
  };
}

export function claimsFolder(directory: string): string {
  return path.join(directory, FOLDER, 'claims');
}

/** Plans that run as Slurm jobs: what was asked for, arrays, output. */
export function slurmFolder(directory: string): string {
  return path.join(directory, FOLDER, 'slurm');
}

/** A file name for a plan. */
export function planFileName(plan: string): string {
  return `${plan.replaceAll(/[^A-Za-z0-9._+=-]+/g, '-')}.json`;
}

/** A plan as it was carried out. */
export interface PlanRecord {
  readonly format: 'latentwire-plan/1';
  readonly name: string;
  readonly phases: readonly { readonly name: string; readonly kind: PhaseKind }[];
  readonly cells: readonly {
    /** Name of the run directory. */
    readonly name: string;
    readonly id: string;
    readonly seed: number;
    readonly places: readonly {
      readonly phase: string;
      readonly kind: PhaseKind;
      readonly label: string;
      readonly axes: Readonly<Record<string, unknown>>;
    }[];
  }[];
}

/** Records what the plan asks for. @throws LatentWireError `io` */
export function writePlanRecord(plan: Plan): void {
  const folder = path.join(plan.directory, FOLDER, 'plans');
  mkdirSync(folder, { recursive: true });
  const record: PlanRecord = {
    format: 'latentwire-plan/1',
    name: plan.name,
    phases: plan.phases.map(({ name, kind }) => ({ name, kind })),
    cells: plan.cells.map(({ name, id, seed, places }) => ({ name, id, seed, places })),
  };
  writeJsonAtomic(path.join(folder, planFileName(plan.name)), { ...record });
}

/** All plans carried out in `directory`; a file that is no plan is named in `problems`. */
export function readPlanRecords(directory: string): {
  readonly plans: readonly PlanRecord[];
  readonly problems: readonly string[];
} {
  const folder = path.join(directory, FOLDER, 'plans');
  if (!existsSync(folder)) return { plans: [], problems: [] };
  const plans: PlanRecord[] = [];
  const problems: string[] = [];
  for (const name of readdirSync(folder).filter(
    (entry) => entry.endsWith('.json') && !entry.startsWith('.'),
  )) {
    const file = path.join(folder, name);
    try {
      const record = JSON.parse(readFileSync(file, 'utf8')) as PlanRecord;
      if (record.format !== 'latentwire-plan/1') throw new Error(`format ${String(record.format)}`);
      plans.push(record);
    } catch (error) {
      problems.push(`${file} is not a plan record: ${(error as Error).message}`);
    }
  }
  return { plans, problems };
}
