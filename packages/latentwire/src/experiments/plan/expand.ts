/**
 * From a plan to its cells. A cell is one run: a resolved configuration with its seed. Its identity is the hash
 * of the settings that decide what is computed, so two phases that ask for the same run share it, another seed
 * adds only new cells, and an edited setting gives a new cell and never disturbs an old run directory.
 */
import path from 'node:path';
import {
  type Assignment,
  applyAssignments,
  checkConfig,
  type RunConfig,
  settingsHash,
} from '../../config/index.js';
import { LatentWireError } from '../../errors.js';
import type { Assumptions, Gate, PhaseKind, Resources, Retries } from './plan-schema.js';
import { type PhaseSource, type PlanSource, readPlan } from './read-plan.js';

declare const cellId: unique symbol;
/** 64 hex digits: `settingsHash` of the cell's configuration. */
export type CellId = string & { readonly [cellId]: true };

/** Where a cell stands in a plan; one cell may stand in several phases. */
export interface CellPlace {
  readonly phase: string;
  readonly kind: PhaseKind;
  /** What tells it from the other cells of the phase: `latent_len=32 d_z=256`, `no adapter`. */
  readonly label: string;
  /** Values on the grid of the phase, `group.key` → value. */
  readonly axes: Readonly<Record<string, unknown>>;
}

export interface Cell {
  readonly id: CellId;
  /** Name of its run directory, ending in the first 8 digits of the id. */
  readonly name: string;
  readonly seed: number;
  readonly config: RunConfig;
  /** First is the one it is named after. */
  readonly places: readonly CellPlace[];
  readonly resources: Resources;
  readonly priority: number;
}

export interface Phase {
  readonly name: string;
  readonly kind: PhaseKind;
  readonly after: readonly string[];
  readonly gate: Gate | undefined;
  readonly cells: readonly CellId[];
}

export interface Plan {
  readonly name: string;
  readonly description: string | undefined;
  /** Folder of the run directories, absolute. */
  readonly directory: string;
  readonly phases: readonly Phase[];
  /** Every cell once, in the order of the plan. */
  readonly cells: readonly Cell[];
  readonly retries: Retries;
  readonly assumptions: Assumptions;
  readonly files: readonly string[];
  /** What a reader should know, e.g. cells that two phases share. */
  readonly notes: readonly string[];
}

export interface PlanOptions {
  /** Settings from the command line; they win over the file. */
  readonly assignments?: readonly Assignment[];
  /** In place of the folder that the plan names. */
  readonly directory?: string | undefined;
}

/** @throws LatentWireError `input` naming the place in the file of whatever is wrong */
export function loadPlan(file: string, options: PlanOptions = {}): Plan {
  return expandPlan(readPlan(file), options);
}

export function expandPlan(source: PlanSource, options: PlanOptions = {}): Plan {
  const directory = path.resolve(options.directory ?? source.runs);
  const cells = new Map<CellId, Cell>();
  const phases: Phase[] = [];
  const notes: string[] = [];
  for (const phase of source.phases) {
    const ids: CellId[] = [];
    const labels = new Map<string, CellId>();
    const shared = new Map<string, number>();
    for (const { label, axes, settings } of variants(phase)) {
      const place: CellPlace = { phase: phase.name, kind: phase.kind, label, axes };
      for (const seed of phase.seeds) {
        const cell = makeCell(phase, place, settings, seed, directory, options.assignments ?? []);
        const twin = labels.get(`${label}\n${seed}`);
        if (twin !== undefined && twin !== cell.id) {
          throw new LatentWireError(`${phase.origin}: two cells of phase ${phase.name} are called ${label}`, {
            code: 'input',
            hint: 'give each cell its own name',
          });
        }
        labels.set(`${label}\n${seed}`, cell.id);
        if (ids.includes(cell.id)) {
          notes.push(
            `phase ${phase.name}: ${label} (seed ${seed}) asks for the same run as another cell of it`,
          );
          continue;
        }
        ids.push(cell.id);
        const known = cells.get(cell.id);
        if (known !== undefined) {
          const twinPlace = known.places[0]!;
          const key = `${phase.name}: ${label} is ${twinPlace.phase}: ${twinPlace.label}`;
          shared.set(key, (shared.get(key) ?? 0) + 1);
        }
        cells.set(cell.id, known === undefined ? cell : join(known, cell));
      }
    }
    for (const [text, count] of shared)
      notes.push(`${text}, run once (${count} ${count === 1 ? 'seed' : 'seeds'})`);
    phases.push({ name: phase.name, kind: phase.kind, after: phase.after, gate: phase.gate, cells: ids });
  }
  return {
    name: source.name,
    description: source.description,
    directory,
    phases,
    cells: [...cells.values()],
    retries: source.retries,
    assumptions: source.assumptions,
    files: source.files,
    notes,
  };
}

interface Variant {
  readonly label: string;
  readonly axes: Readonly<Record<string, unknown>>;
  readonly settings: readonly Assignment[];
}

/** Named cells × grid, the last axis running fastest. */
function variants(phase: PhaseSource): Variant[] {
  const named = phase.cells ?? [{ name: '', settings: [] }];
  return named.flatMap(({ name, settings }) => {
    let list: Variant[] = [{ label: name, axes: {}, settings }];
    for (const [key, values] of phase.grid) {
      const short = key.slice(key.lastIndexOf('.') + 1);
      list = list.flatMap((variant) =>
        values.map(({ value, origin }) => ({
          label: `${variant.label} ${short}=${shortValue(value)}`.trim(),
          axes: { ...variant.axes, [key]: value },
          settings: [...variant.settings, { path: key, value, origin }],
        })),
      );
    }
    return list.map((variant) => ({ ...variant, label: variant.label || phase.name }));
  });
}

function makeCell(
  phase: PhaseSource,
  place: CellPlace,
  settings: readonly Assignment[],
  seed: number,
  directory: string,
  overrides: readonly Assignment[],
): Cell {
  const resolved = applyAssignments([
    ...phase.settings,
    ...settings,
    ...overrides,
    { path: 'run.seed', value: seed, origin: phase.origin },
  ]);
  const id = settingsHash(resolved) as CellId;
  const name = directoryName(place, seed, id);
  const config: RunConfig = { ...resolved, run: { ...resolved.run, save_dir: path.join(directory, name) } };
  try {
    checkConfig(config);
  } catch (error) {
    if (!(error instanceof LatentWireError)) throw error;
    throw new LatentWireError(`${phase.origin}: cell ${place.label} of ${phase.name}: ${error.message}`, {
      code: 'input',
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
  return { id, name, seed, config, places: [place], resources: phase.resources, priority: phase.priority };
}

/** A cell that two phases ask for takes the larger resources and the higher priority of both. */
function join(first: Cell, second: Cell): Cell {
  const largest = <K extends keyof Resources>(key: K): number | undefined => {
    const values = [first.resources[key], second.resources[key]].filter((value) => value !== undefined);
    return values.length === 0 ? undefined : Math.max(...values);
  };
  const memory = largest('memory_gb');
  const minutes = largest('minutes');
  return {
    ...first,
    places: [...first.places, ...second.places],
    priority: Math.max(first.priority, second.priority),
    resources: {
      gpus: largest('gpus')!,
      cpus: largest('cpus')!,
      ...(memory !== undefined && { memory_gb: memory }),
      ...(minutes !== undefined && { minutes }),
    },
  };
}

const LONGEST = 90;

/** `core-latent_len=32-d_z=256-s42-1a2b3c4d`: readable, safe on any file system, unique by its end. */
function directoryName(place: CellPlace, seed: number, id: CellId): string {
  const safe = (text: string): string =>
    text.replaceAll(/[^A-Za-z0-9._+=]+/g, '-').replaceAll(/\.{2,}/g, '.');
  const label = place.label === place.phase ? place.phase : `${place.phase}-${place.label}`;
  return `${safe(label).slice(0, LONGEST)}-s${seed}-${id.slice(0, 8)}`;
}

/** Paths and hub names by their last part. */
function shortValue(value: unknown): string {
  if (value === null) return 'all';
  const text = Array.isArray(value) ? value.map(shortValue).join('+') : String(value);
  return text
    .split(/[/\\:]/)
    .at(-1)!
    .replace(/\.gguf$/i, '');
}
