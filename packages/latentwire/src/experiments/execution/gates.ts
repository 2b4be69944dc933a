/** May a phase start? Its predecessors must be done, and the measured condition of its gate must hold. */
import { numberOf, readMetrics, runIdOf, runPaths } from '../../telemetry/index.js';
import type { Cell, Phase, Plan } from '../plan/expand.js';
import type { Gate } from '../plan/plan-schema.js';
import type { CellState } from '../state/cell-state.js';

export type Readiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'waiting'; readonly on: readonly string[] }
  /** It will not become ready by itself. */
  | { readonly kind: 'blocked'; readonly reason: string };

export function readiness(
  plan: Plan,
  phase: Phase,
  stateOf: (cell: Cell) => CellState,
  options: { readonly ignoreGates?: boolean } = {},
): Readiness {
  const before = [...new Set([...phase.after, ...(phase.gate === undefined ? [] : [phase.gate.phase])])];
  const open: string[] = [];
  for (const name of before) {
    const states = cellsOf(plan, name).map(stateOf);
    const failures = states.filter(({ kind }) => kind === 'failed').length;
    const unfinished = states.some(({ kind }) => kind !== 'done' && kind !== 'failed');
    if (unfinished) open.push(name);
    else if (failures > 0) return { kind: 'blocked', reason: `${failures} cells of ${name} failed` };
  }
  if (open.length > 0) return { kind: 'waiting', on: open };
  if (phase.gate === undefined || options.ignoreGates === true) return { kind: 'ready' };
  return judgeGate(plan, phase.gate);
}

/** The cells of a phase, by its name. */
export function cellsOf(plan: Plan, phase: string): Cell[] {
  const ids = new Set(plan.phases.find(({ name }) => name === phase)?.cells);
  return plan.cells.filter(({ id }) => ids.has(id));
}

/** Compares, cell by cell, means over seeds (and over models) of what the runs measured. */
export function judgeGate(plan: Plan, gate: Gate): Readiness {
  const above = typeof gate.above === 'number' ? String(gate.above) : gate.above;
  const groups = byLabel(cellsOf(plan, gate.phase), gate.phase);
  let passed = 0;
  const lines: string[] = [];
  for (const [label, cells] of groups) {
    const left = meanOf(plan, cells, gate.metric);
    const right = typeof gate.above === 'number' ? gate.above : meanOf(plan, cells, gate.above);
    const pass = left !== undefined && right !== undefined && left > right;
    if (pass) passed += 1;
    const show = (value: number | undefined): string => value?.toFixed(4) ?? 'not measured';
    lines.push(
      `${label}: ${gate.metric} ${show(left)}, ${above} ${typeof gate.above === 'number' ? '' : show(right)}`.trim(),
    );
  }
  const open = gate.in === 'any' ? passed > 0 : passed === groups.size;
  if (open) return { kind: 'ready' };
  const who = gate.in === 'any' ? 'no cell' : 'not every cell';
  return {
    kind: 'blocked',
    reason: `gate: ${who} of ${gate.phase} has ${gate.metric} above ${above} (${lines.slice(0, 4).join('; ')}${lines.length > 4 ? '; …' : ''})`,
  };
}

function labelIn(places: Cell['places'], phase: string): string {
  return places.find((place) => place.phase === phase)?.label ?? phase;
}

/** Mean over the runs of a cell and their models; undefined when any run has not measured it. */
function meanOf(plan: Plan, cells: readonly Cell[], metric: string): number | undefined {
  const dot = metric.indexOf('.');
  const mode = metric.slice(0, dot);
  const values: number[] = [];
  for (const { name } of cells) {
    const models = readQuietly(runPaths(plan.directory, runIdOf(name)).metrics)?.[mode];
    if (typeof models !== 'object' || models === null) return undefined;
    for (const scores of Object.values(models as Record<string, Record<string, unknown>>)) {
      const value = numberOf(scores?.[metric.slice(dot + 1)]);
      if (value === undefined || !Number.isFinite(value)) return undefined;
      values.push(value);
    }
  }
  return values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0) / values.length;
}

function readQuietly(file: string): Record<string, unknown> | undefined {
  try {
    return readMetrics(file) as Record<string, unknown> | undefined;
  } catch {
    return undefined; // Damaged is not measured; aggregate names the file.
  }
}

function byLabel(cells: readonly Cell[], phase: string): Map<string, Cell[]> {
  const groups = new Map<string, Cell[]>();
  for (const cell of cells) {
    const label = labelIn(cell.places, phase);
    groups.set(label, [...(groups.get(label) ?? []), cell]);
  }
  return groups;
}
