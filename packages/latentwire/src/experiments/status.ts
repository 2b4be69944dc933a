/** The state of a whole plan or directory at one moment, read from files alone, with what is left to do. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { type Readiness, readiness } from './execution/gates.js';
import { estimatePlan, type Measurement, stepsOf } from './plan/estimate.js';
import type { Cell, Plan } from './plan/expand.js';
import { DEFAULT_RETRIES } from './plan/plan-schema.js';
import { type CellState, type CellStateKind, readCell, readRun } from './state/cell-state.js';
import { Claims } from './state/claims.js';
import { claimsFolder, readPlanRecords } from './state/experiment-folder.js';

export interface CellStatus {
  readonly name: string;
  /** `phase: label` of its first place; the run's name when no plan is known. */
  readonly label: string;
  readonly seed: number | undefined;
  readonly state: CellState;
  /** Optimiser steps of the whole run; undefined when the configuration is not known. */
  readonly totalSteps: number | undefined;
  /** Attempts so far. */
  readonly attempts: number;
  /** Why it waits, when its phase may not start. */
  readonly held: string | undefined;
  /** Seconds until it is done, once it runs; undefined when that cannot be told. */
  readonly etaSeconds: number | undefined;
}

export interface ExperimentStatus {
  readonly directory: string;
  readonly cells: readonly CellStatus[];
  readonly counts: Readonly<Record<CellStateKind, number>>;
  /** Seconds until everything is done at the present number of running cells; undefined: nothing runs, or unknown. */
  readonly etaSeconds: number | undefined;
  /** Run directories that the plan does not know. */
  readonly others: readonly string[];
}

/** Of the cells of a plan. @param earlier for the time of cells that have not begun */
export function planStatus(plan: Plan, earlier: readonly Measurement[] = []): ExperimentStatus {
  const claims = new Claims(claimsFolder(plan.directory));
  const context = { directory: plan.directory, claims, retries: plan.retries };
  const readings = new Map(plan.cells.map((cell) => [cell.id, readCell(cell.name, context)]));
  const stateOf = (cell: Cell): CellState => readings.get(cell.id)!.state;
  const phases = new Map<string, Readiness>(
    plan.phases.map((phase) => [phase.name, readiness(plan, phase, stateOf)]),
  );
  const expected = new Map(estimatePlan(plan, earlier).cells.map(({ cell, seconds }) => [cell.id, seconds]));
  const cells = plan.cells.map((cell): CellStatus => {
    const { state, attempts } = readings.get(cell.id)!;
    const totalSteps = stepsOf(cell.config);
    const place = cell.places[0]!;
    return {
      name: cell.name,
      label: place.label === place.phase ? place.phase : `${place.phase}: ${place.label}`,
      seed: cell.seed,
      state,
      totalSteps,
      attempts,
      held: state.kind === 'queued' || state.kind === 'preempted' ? heldBack(cell.places, phases) : undefined,
      etaSeconds: etaOf(state, totalSteps),
    };
  });
  const remaining = plan.cells.map((cell, i) => {
    const { state, etaSeconds } = cells[i]!;
    if (state.kind === 'done' || state.kind === 'failed') return 0;
    const whole = expected.get(cell.id)!;
    return etaSeconds ?? whole * (1 - Math.min(1, stepOf(state) / Math.max(1, cells[i]!.totalSteps ?? 1)));
  });
  const running = cells.filter(({ state }) => state.kind === 'running').length;
  const known = new Set(plan.cells.map(({ name }) => name));
  return {
    directory: plan.directory,
    cells,
    counts: count(cells),
    etaSeconds: running === 0 ? undefined : remaining.reduce((a, b) => a + b, 0) / running,
    others: runNames(plan.directory).filter((name) => !known.has(name)),
  };
}

/** Of every run in a directory: those that its plans name, and those that are simply there. */
export function directoryStatus(directory: string): ExperimentStatus {
  const claims = new Claims(claimsFolder(directory));
  const context = { directory, claims, retries: DEFAULT_RETRIES };
  const planned = new Map(
    readPlanRecords(directory).plans.flatMap(({ cells }) => cells.map((cell) => [cell.name, cell] as const)),
  );
  const names = [...new Set([...planned.keys(), ...runNames(directory)])];
  const cells = names.map((name): CellStatus => {
    const { state, attempts } = planned.has(name) ? readCell(name, context) : readRun(name, context);
    const place = planned.get(name)?.places[0];
    return {
      name,
      label:
        place === undefined
          ? name
          : place.label === place.phase
            ? place.phase
            : `${place.phase}: ${place.label}`,
      seed: planned.get(name)?.seed,
      state,
      totalSteps: undefined,
      attempts,
      held: undefined,
      etaSeconds: etaOf(state, undefined),
    };
  });
  return { directory, cells, counts: count(cells), etaSeconds: undefined, others: [] };
}

/** Names of run directories: folders with a configuration or a status. */
function runNames(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .filter((name) =>
      ['config.json', 'status.json'].some((file) => existsSync(path.join(directory, name, file))),
    )
    .sort();
}

function heldBack(
  places: Plan['cells'][number]['places'],
  phases: ReadonlyMap<string, Readiness>,
): string | undefined {
  const reasons = places.map(({ phase }) => phases.get(phase)!);
  if (reasons.some(({ kind }) => kind === 'ready')) return undefined;
  const [first] = reasons;
  return first?.kind === 'waiting'
    ? `after ${first.on.join(', ')}`
    : first?.kind === 'blocked'
      ? first.reason
      : undefined;
}

function stepOf(state: CellState): number {
  return state.kind === 'queued' ? 0 : state.step;
}

/** From the pace of its latest steps. */
function etaOf(state: CellState, total: number | undefined): number | undefined {
  if (state.kind !== 'running' || state.secondsPerStep === undefined || total === undefined) return undefined;
  return state.secondsPerStep * Math.max(0, total - state.step);
}

function count(cells: readonly CellStatus[]): Record<CellStateKind, number> {
  const counts = { queued: 0, running: 0, preempted: 0, failed: 0, done: 0 };
  for (const { state } of cells) counts[state.kind] += 1;
  return counts;
}
