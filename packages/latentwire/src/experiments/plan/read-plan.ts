/**
 * Reads a plan file and what it includes. Errors name file, line and column. Settings are collected in layers,
 * weakest first: settings of the files a phase's file includes, of the file itself, of files that include it,
 * then of the phase, its cell and its grid; so a plan can include another and change what is common to all,
 * but never what makes a cell a cell.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Document, isMap, LineCounter, parseDocument } from 'yaml';
import { type Assignment, findField, readAbsent } from '../../config/index.js';
import { LatentWireError, nearestName } from '../../errors.js';
import {
  type Assumptions,
  DEFAULT_ASSUMPTIONS,
  DEFAULT_RESOURCES,
  DEFAULT_RETRIES,
  DEFAULT_SEEDS,
  type Gate,
  type PhaseFile,
  type PhaseKind,
  type PlanFile,
  planFileSchema,
  type Resources,
  type Retries,
} from './plan-schema.js';

/** One value of a setting on an axis of a grid. */
export interface AxisValue {
  readonly value: unknown;
  readonly origin: string;
}

export interface PhaseSource {
  readonly name: string;
  readonly kind: PhaseKind;
  readonly after: readonly string[];
  readonly gate: Gate | undefined;
  readonly seeds: readonly number[];
  readonly resources: Resources;
  readonly priority: number;
  /** Common to all cells of the phase, weakest first. */
  readonly settings: readonly Assignment[];
  /** Named variants; undefined: one without a name. */
  readonly cells: readonly { readonly name: string; readonly settings: readonly Assignment[] }[] | undefined;
  /** `group.key` → values */
  readonly grid: ReadonlyMap<string, readonly AxisValue[]>;
  /** `file:line:col` of the phase. */
  readonly origin: string;
}

export interface PlanSource {
  readonly name: string;
  readonly description: string | undefined;
  readonly runs: string;
  readonly retries: Retries;
  readonly assumptions: Assumptions;
  readonly phases: readonly PhaseSource[];
  /** All files it was read from, absolute. */
  readonly files: readonly string[];
}

/** A file with its includes; what is undefined was said nowhere. */
interface Layer {
  readonly name: string;
  readonly description: string | undefined;
  readonly runs: string | undefined;
  readonly seeds: readonly number[] | undefined;
  readonly settings: readonly Assignment[];
  readonly resources: Partial<Resources>;
  readonly retries: Partial<Retries>;
  readonly estimate: Partial<Assumptions>;
  readonly phases: readonly OpenPhase[];
  readonly files: readonly string[];
}

/** A phase before the files above it have had their say. */
interface OpenPhase {
  readonly file: PhaseFile;
  readonly after: readonly string[];
  readonly gate: Gate | undefined;
  readonly origin: string;
  readonly common: readonly Assignment[];
  readonly own: readonly Assignment[];
  readonly cells: PhaseSource['cells'];
  readonly grid: PhaseSource['grid'];
  readonly seeds: readonly number[] | undefined;
  readonly resources: Partial<Resources>;
}

/** @throws LatentWireError `input` naming file, line and column of what is wrong */
export function readPlan(file: string): PlanSource {
  const layer = readLayer(path.resolve(file), []);
  const names = new Set<string>();
  for (const { file: phase, origin } of layer.phases) {
    if (names.has(phase.name)) throw wrong(origin, `phase ${phase.name} is there twice`);
    names.add(phase.name);
  }
  for (const { file: phase, after, gate, origin } of layer.phases) {
    for (const other of [...after, ...(gate ? [gate.phase] : [])]) {
      if (names.has(other) && other !== phase.name) continue;
      throw wrong(
        origin,
        `phase ${phase.name} waits for ${other === phase.name ? 'itself' : `an unknown phase ${other}`}`,
        suggestion(other, names),
      );
    }
  }
  refuseCircles(layer.phases);
  if (layer.phases.length === 0) throw wrong(file, 'expected at least one phase, got none');
  return {
    name: layer.name,
    description: layer.description,
    runs: layer.runs ?? `runs/${layer.name.replaceAll(' ', '_')}`,
    retries: { ...DEFAULT_RETRIES, ...layer.retries },
    assumptions: { ...DEFAULT_ASSUMPTIONS, ...layer.estimate },
    phases: layer.phases.map((phase): PhaseSource => {
      const { name, kind, priority } = phase.file;
      const { after, gate } = phase;
      return {
        name,
        kind,
        after,
        gate,
        priority,
        seeds: phase.seeds ?? DEFAULT_SEEDS,
        resources: { ...DEFAULT_RESOURCES, ...phase.resources },
        settings: [...phase.common, ...phase.own],
        cells: phase.cells,
        grid: phase.grid,
        origin: phase.origin,
      };
    }),
    files: layer.files,
  };
}

function readLayer(file: string, above: readonly string[]): Layer {
  if (above.includes(file)) throw wrong(file, `includes itself by way of ${above.at(-1)}`);
  const { plan, at } = parsePlanFile(file);
  const included = plan.include.map((name, i) => {
    try {
      return readLayer(path.resolve(path.dirname(file), name), [...above, file]);
    } catch (error) {
      // One with a cause could not be read: then the line that includes it is at fault.
      if (!(error instanceof LatentWireError) || error.cause === undefined) throw error;
      throw wrong(at(['include', i]), error.message, 'paths are relative to the file that includes');
    }
  });
  const settings = assignments(plan.settings, ['settings'], at);
  const below = included.flatMap((layer) => layer.settings);
  const defined = <T>(pick: (layer: Layer) => T | undefined, own: T | undefined): T | undefined =>
    own ?? included.map(pick).findLast((value) => value !== undefined);
  const merged = <T extends object>(
    pick: (layer: Layer) => Partial<T>,
    own: object | undefined,
  ): Partial<T> => Object.assign({}, ...included.map(pick), own);
  const seeds = defined((layer) => layer.seeds, plan.seeds);
  const resources = merged<Resources>((layer) => layer.resources, plan.resources);

  const inherited = included
    .flatMap((layer) => layer.phases)
    .map(
      (phase): OpenPhase => ({
        ...phase,
        common: [...phase.common, ...settings],
        seeds: phase.file.seeds ?? plan.seeds ?? phase.seeds,
        resources: { ...phase.resources, ...plan.resources, ...phase.file.resources } as Partial<Resources>,
      }),
    );
  const own = plan.phases.map((phase, i): OpenPhase => {
    const here = ['phases', i] as const;
    checkSeeds(phase.seeds, at([...here, 'seeds']));
    return {
      file: phase,
      after: phase.after,
      gate: phase.gate,
      origin: at([...here]),
      common: [...below, ...settings],
      own: assignments(phase.settings, [...here, 'settings'], at),
      cells: phase.cells?.map((cell, k) => ({
        name: cell.name,
        settings: assignments(cell.settings, [...here, 'cells', k, 'settings'], at),
      })),
      grid: axes(phase.grid ?? {}, [...here, 'grid'], at),
      seeds: phase.seeds ?? seeds,
      resources: { ...resources, ...phase.resources } as Partial<Resources>,
    };
  });
  checkSeeds(plan.seeds, at(['seeds']));
  return {
    name: plan.name,
    description: plan.description,
    runs: defined((layer) => layer.runs, plan.runs),
    seeds,
    settings: [...below, ...settings],
    resources,
    retries: merged<Retries>((layer) => layer.retries, plan.retries),
    estimate: merged<Assumptions>((layer) => layer.estimate, plan.estimate),
    phases: startConditions(plan.start, uniquePhases([...inherited, ...own]), at),
    files: [...new Set([...included.flatMap((layer) => layer.files), file])],
  };
}

type Place = readonly (string | number)[];
type Locate = (place: Place) => string;

function parsePlanFile(file: string): { readonly plan: PlanFile; readonly at: Locate } {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new LatentWireError(`cannot read plan ${file} (${reason})`, {
      code: 'input',
      hint: 'check the path; plans lie in experiments/',
      cause: error,
    });
  }
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const position = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    const shown = path.relative('.', file);
    return `${shown.startsWith('..') ? file : shown}:${line}:${col}`;
  };
  const problem = document.errors[0];
  if (problem !== undefined) throw wrong(position(problem.pos[0]), problem.message);
  const at: Locate = (place) => position(offsetOf(document, place));
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    throw wrong(position(0), (error as Error).message);
  }
  const result = planFileSchema.safeParse(value ?? {});
  if (result.success) return { plan: result.data, at };
  const lines_ = result.error.issues.map((issue) => {
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
    const place = [...issue.path, ...(unknown === undefined ? [] : [unknown])] as Place;
    const what = place.join('.') || 'the plan';
    return `${at(place)}: ${what}: ${unknown === undefined ? issue.message : 'is no key of a plan'}`;
  });
  throw new LatentWireError(lines_.join('\n'), {
    code: 'input',
    hint: 'docs/EXPERIMENTS.md lists what a plan may say',
  });
}

/** Offset of the key (or list item) at `place`, else of the nearest thing around it. */
function offsetOf(document: Document.Parsed, place: Place): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const part of place) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String((key as { value?: unknown }).value) === String(part));
      if (pair === undefined) break;
      offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset;
      node = pair.value;
    } else {
      const item = (node as { items?: unknown[] } | null)?.items?.[Number(part)];
      if (item === undefined || item === null) break;
      offset = (item as { range?: [number, number, number] }).range?.[0] ?? offset;
      node = item;
    }
  }
  return offset;
}

/** Settings as assignments that remember where they were written. */
function assignments(settings: Record<string, unknown>, place: Place, at: Locate): Assignment[] {
  const list: Assignment[] = [];
  const add = (name: string, value: unknown, where: Place): void => {
    const field = findField(name);
    list.push({ path: name, value: field ? readAbsent(field, value) : value, origin: at(where) });
  };
  for (const [key, value] of Object.entries(settings)) {
    if (key.includes('.') || typeof value !== 'object' || value === null || Array.isArray(value)) {
      add(key, value, [...place, key]);
      continue;
    }
    for (const [inner, nested] of Object.entries(value))
      add(`${key}.${inner}`, nested, [...place, key, inner]);
  }
  return list;
}

function axes(grid: Record<string, unknown[]>, place: Place, at: Locate): Map<string, AxisValue[]> {
  return new Map(
    Object.entries(grid).map(([key, values]) => {
      const field = findField(key);
      return [
        key,
        values.map((value, i) => ({
          value: field ? readAbsent(field, value) : value,
          origin: at([...place, key, i]),
        })),
      ];
    }),
  );
}

function checkSeeds(seeds: readonly number[] | undefined, origin: string): void {
  const repeated = seeds?.find((seed, i) => seeds.indexOf(seed) !== i);
  if (repeated === undefined) return;
  throw wrong(origin, `seed ${repeated} is there twice`, 'each seed gives one run: name it once');
}

function startConditions(start: PlanFile['start'], phases: readonly OpenPhase[], at: Locate): OpenPhase[] {
  const names = phases.map(({ file }) => file.name);
  for (const [i, condition] of start.entries()) {
    const unknown = condition.phases.find((name) => !names.includes(name));
    if (unknown !== undefined) {
      throw wrong(at(['start', i]), `there is no phase ${unknown}`, suggestion(unknown, names));
    }
  }
  return phases.map((phase) => {
    const mine = start.filter((condition) => condition.phases.includes(phase.file.name));
    return {
      ...phase,
      after: [...new Set([...phase.after, ...mine.flatMap((condition) => condition.after)])],
      gate: mine.findLast((condition) => condition.gate !== undefined)?.gate ?? phase.gate,
    };
  });
}

/** The same file may be included along two ways; its phases count once. */
function uniquePhases(phases: readonly OpenPhase[]): OpenPhase[] {
  return phases.filter(
    (phase, i) =>
      phases.findIndex((other) => other.origin === phase.origin && other.file.name === phase.file.name) === i,
  );
}

function refuseCircles(phases: readonly OpenPhase[]): void {
  const waits = new Map(
    phases.map(({ file, after, gate }) => [file.name, [...after, ...(gate ? [gate.phase] : [])]]),
  );
  const visit = (name: string, trail: readonly string[]): void => {
    if (trail.includes(name)) {
      const { origin } = phases.find(({ file }) => file.name === name)!;
      throw wrong(origin, `phases wait for each other in a circle: ${[...trail, name].join(' → ')}`);
    }
    for (const other of waits.get(name) ?? []) visit(other, [...trail, name]);
  };
  for (const name of waits.keys()) visit(name, []);
}

function suggestion(name: string, names: Iterable<string>): string | undefined {
  const near = nearestName(name, names);
  return near === undefined ? undefined : `did you mean ${near}?`;
}

function wrong(origin: string, message: string, hint?: string): LatentWireError {
  return new LatentWireError(`${origin}: ${message}`, { code: 'input', ...(hint !== undefined && { hint }) });
}
