/**
 * Cells as array jobs: one array for each phase and each set of resources in it, split where the cluster allows no
 * longer ones. A cell's resources win over the profile's, which describes whole jobs.
 */
import path from 'node:path';
import { type ClusterProfile, type JobSpec, jobFromProfile, literalPath } from '@latentwire/slurm';
import { LatentWireError } from '../../errors.js';
import type { Cell, Plan } from '../plan/expand.js';
import type { Resources } from '../plan/plan-schema.js';
import { slurmFolder } from '../state/experiment-folder.js';
import { cellsFile } from './array-record.js';
import { directoryMark, GUARD_MARK } from './queue-view.js';
import type { SubmittedPlan } from './submitted-plan.js';

/** Cells that can stand in one array. */
export interface CellGroup {
  readonly phase: string;
  readonly resources: Resources;
  readonly cells: readonly Cell[];
}

/** @param phaseOf the phase that a cell may start in now; the most urgent groups come first */
export function groupCells(
  cells: readonly Cell[],
  phaseOf: (cell: Cell) => string,
  longest: number,
): CellGroup[] {
  const groups = new Map<string, Cell[]>();
  for (const cell of cells) {
    const key = JSON.stringify([phaseOf(cell), -cell.priority, cell.resources]);
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  return [...groups.values()]
    .sort((a, b) => b[0]!.priority - a[0]!.priority)
    .flatMap((members) =>
      Array.from({ length: Math.ceil(members.length / longest) }, (_, part) => {
        const part_ = members.slice(part * longest, (part + 1) * longest);
        return { phase: phaseOf(part_[0]!), resources: part_[0]!.resources, cells: part_ };
      }),
    );
}

/** Nodes and tasks of one cell: one task for each GPU, on as few nodes as the profile's nodes allow. */
export function shapeOf(
  { gpus }: Resources,
  profile: ClusterProfile,
): { readonly nodes: number; readonly gpusPerNode: number } {
  const most = profile.gpus_per_node ?? gpus;
  if (gpus <= Math.max(1, most)) return { nodes: 1, gpusPerNode: gpus };
  if (gpus % most !== 0) {
    throw new LatentWireError(
      `a cell needs ${gpus} GPUs: expected at most ${most} or a multiple of it (profile ${profile.name}, gpus_per_node)`,
      { code: 'input', hint: 'change resources.gpus in the plan' },
    );
  }
  return { nodes: gpus / most, gpusPerNode: most };
}

/** @param program how this product is started, e.g. `[node, main.js]` */
export function arrayJob(
  { plan, profile, atOnce, workDir }: SubmittedPlan,
  { phase, resources, cells }: CellGroup,
  submission: string,
  program: readonly string[],
): JobSpec {
  const { nodes, gpusPerNode } = shapeOf(resources, profile);
  const tasks = Math.max(1, gpusPerNode);
  return jobFromProfile(profile, {
    name: arrayName(plan, phase),
    nodes,
    gpusPerNode,
    tasksPerNode: tasks,
    cpusPerTask: Math.max(1, Math.ceil(resources.cpus / (tasks * nodes))),
    ...(resources.memory_gb !== undefined && { memory: `${Math.ceil(resources.memory_gb / nodes)}G` }),
    ...(resources.minutes !== undefined && { timeLimitSeconds: Math.ceil(60 * resources.minutes) }),
    array: { indices: cells.map((_, index) => index), ...(atOnce !== null && { atOnce }) },
    // A task counts the crashes of its cell, and those of its own that left it no word.
    requeueWhenKilled: true,
    output: path.join(literalPath(outputFolder(plan.directory)), '%x-%A_%a.out'),
    workDir: profile.work_dir ?? workDir,
    comment: directoryMark(plan.directory),
    command: [...program, 'slurm', 'task', cellsFile(plan.directory, submission)],
  });
}

/** The job that looks after a plan when its arrays have ended in a way that left nobody to do so. */
export function guardJob(
  { plan, profile, workDir }: SubmittedPlan,
  planFile: string,
  program: readonly string[],
): JobSpec {
  return jobFromProfile(profile, {
    name: guardName(plan.name),
    ...{ nodes: 1, gpusPerNode: 0, tasksPerNode: 1, cpusPerTask: 1, memory: '1G', timeLimitSeconds: 600 },
    hold: true,
    requeueWhenKilled: true,
    output: path.join(literalPath(outputFolder(plan.directory)), '%x-%j.out'),
    workDir: profile.work_dir ?? workDir,
    comment: `${directoryMark(plan.directory)} ${GUARD_MARK}`,
    command: [...program, 'slurm', 'advance', planFile],
  });
}

export function outputFolder(directory: string): string {
  return path.join(slurmFolder(directory), 'output');
}

/** `main.core`; plan and phase names are short and of harmless characters. */
export function arrayName(plan: Plan, phase: string): string {
  return `${plan.name}.${phase}`;
}

export function guardName(plan: string): string {
  return `${plan}.guard`;
}
