/**
 * From the run directories of an experiment to one document: per cell over seeds and items, every number with
 * its run. Only finished runs count; what is missing stays missing and is named.
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { LatentWireError } from '../../errors.js';
import { cellFiles, type PlanRecord, readAttempts, readPlanRecords } from '../../experiments/index.js';
import { type Answers, RUN_FILES, type RunReading, readRun } from './read-run.js';
import type {
  Group,
  Measure,
  MethodColumns,
  Place,
  Reference,
  ResultsDocument,
  RunEntry,
} from './results-document.js';

export interface AggregateOptions {
  /** Method that `stats` compares with; by default full text. */
  readonly baseline?: string | undefined;
}

/** Ways of answering that need no training: the same for every run on the same questions. */
const REFERENCE_MODES = ['text', 'no_context', 'token_budget', 'token_budget_last', 'token_budget_random'];
/** The way of answering that a run is about: its baseline, else the wire. */
const MODE_OF_BASELINE: Readonly<Record<string, string>> = { text_only: 'text' };

const METRICS = {
  f1: { higherIsBetter: true },
  em: { higherIsBetter: true },
  nll: { higherIsBetter: false },
} as const;

/** @throws LatentWireError `input` when there is nothing to aggregate */
export function aggregateRuns(directory: string, options: AggregateOptions = {}): ResultsDocument {
  if (!existsSync(directory)) {
    throw new LatentWireError(`expected a folder of runs, found nothing at ${directory}`, {
      code: 'input',
      hint: 'runs are made by latentwire run or latentwire train',
    });
  }
  const { plans, problems: planProblems } = readPlanRecords(directory);
  const readings = inPlanOrder(runDirectories(directory), plans).map((name) =>
    readRun(path.join(directory, name)),
  );
  const problems: string[] = [...planProblems];
  for (const reading of readings)
    problems.push(...reading.problems.map((text) => `${reading.name}: ${text}`));

  const places = placesOf(plans);
  const finished = readings.filter(
    (reading) => reading.state === 'completed' && reading.config !== undefined,
  );
  const used = withoutDuplicates(finished, problems);
  const groups = groupRuns(used, places, problems);
  const methods: Record<string, Record<string, MethodColumns>> = {};
  const references = referenceMethods(used, methods, problems);
  const described = groups.map((group) => describeGroup(group, methods));
  const groupOf = new Map(described.flatMap((group) => group.runs.map((run) => [run, group.name] as const)));
  const missing = missingCells(directory, plans, readings);
  if (readings.length === 0 && missing.length === 0) {
    throw new LatentWireError(`expected run directories in ${directory}, found none`, {
      code: 'input',
      hint: 'name the folder that holds them, e.g. --experiment-dir runs/main_experiment',
    });
  }
  return {
    format: 'latentwire-results/1',
    experiment: directory,
    plans: plans.map(({ name }) => name),
    baseline: chooseBaseline(methods, options.baseline),
    metrics: METRICS,
    methods,
    references,
    groups: described,
    files: { measures: RUN_FILES.metrics, methods: RUN_FILES.predictions, config: RUN_FILES.config },
    runs: readings.map((reading) => entryOf(reading, groupOf.get(reading.name))),
    missing,
    problems,
  };
}

/** Folders that hold a run: with a configuration or a status. */
export function runDirectories(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .filter((name) =>
      [RUN_FILES.config, RUN_FILES.status].some((file) => existsSync(path.join(directory, name, file))),
    )
    .sort();
}

/** As the plans list them; runs that no plan knows follow by name. */
function inPlanOrder(names: readonly string[], plans: readonly PlanRecord[]): string[] {
  const order = new Map(
    plans.flatMap(({ cells }) => cells.map(({ name }) => name)).map((name, i) => [name, i]),
  );
  const place = (name: string): number => order.get(name) ?? Number.POSITIVE_INFINITY;
  return [...names].sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}

function entryOf(reading: RunReading, group: string | undefined): RunEntry {
  const { name, state, seed, configHash, attempt, step, error, problems } = reading;
  return {
    name,
    state,
    seed: seed ?? null,
    group: group ?? null,
    config_hash: configHash,
    attempt,
    step,
    ...(error !== undefined && { error }),
    ...(problems.length > 0 && { problems }),
  };
}

function placesOf(plans: readonly PlanRecord[]): Map<string, Place[]> {
  const places = new Map<string, Place[]>();
  for (const { cells } of plans) {
    for (const cell of cells) {
      const known = places.get(cell.name) ?? [];
      const fresh = cell.places.filter(
        (place) => !known.some(({ phase, label }) => phase === place.phase && label === place.label),
      );
      places.set(cell.name, [...known, ...fresh]);
    }
  }
  return places;
}

/** Two finished runs of one configuration and seed are the same run twice: the first by name counts. */
function withoutDuplicates(readings: readonly RunReading[], problems: string[]): RunReading[] {
  const first = new Map<string, RunReading>();
  for (const reading of readings) {
    const twin = first.get(reading.configHash);
    if (twin === undefined) first.set(reading.configHash, reading);
    else {
      problems.push(
        `${reading.name}: duplicate of ${twin.name} (same settings, seed ${reading.seed ?? 'unknown'}); left out`,
      );
    }
  }
  return [...first.values()];
}

interface RunGroup {
  readonly name: string;
  readonly hash: string;
  readonly places: readonly Place[];
  readonly runs: readonly RunReading[];
}

function groupRuns(
  readings: readonly RunReading[],
  places: ReadonlyMap<string, readonly Place[]>,
  problems: string[],
): RunGroup[] {
  const byHash = new Map<string, RunReading[]>();
  for (const reading of readings) {
    const group = byHash.get(reading.groupHash);
    if (group === undefined) byHash.set(reading.groupHash, [reading]);
    else group.push(reading);
  }
  const names = new Set<string>();
  return [...byHash].map(([hash, unsorted]) => {
    const runs = unsorted.sort((a, b) => (a.seed ?? 0) - (b.seed ?? 0));
    const known = runs.map(({ name }) => places.get(name)).find((list) => list !== undefined) ?? [];
    const wanted = known[0] === undefined ? withoutSeed(runs[0]!) : titleOf(known[0]);
    const name = names.has(wanted) ? `${wanted} (${hash.slice(0, 8)})` : wanted;
    if (name !== wanted)
      problems.push(
        `${runs.map((run) => run.name).join(', ')}: other settings than the rest of ${wanted}; kept apart`,
      );
    names.add(name);
    reportVersions(name, runs, problems);
    return { name, hash, places: known, runs };
  });
}

function titleOf({ phase, label }: Place): string {
  return label === phase ? phase : `${phase}: ${label}`;
}

function withoutSeed({ name, seed }: RunReading): string {
  return name.replace(new RegExp(`[-_.](?:s|seed)[-_=]?${seed ?? '\\d+'}(?:-[0-9a-f]{8})?$`), '');
}

/** Numbers of one group should come from one program. */
function reportVersions(group: string, runs: readonly RunReading[], problems: string[]): void {
  for (const program of ['latentwire', 'torch', 'commit']) {
    const versions = new Map<string, string[]>();
    for (const { name, versions: own } of runs) {
      const version = own[program];
      if (version !== undefined) versions.set(version, [...(versions.get(version) ?? []), name]);
    }
    if (versions.size < 2) continue;
    const list = [...versions].map(([version, names]) => `${version.slice(0, 12)} (${names.join(', ')})`);
    problems.push(`${group}: runs of different versions of ${program}: ${list.join('; ')}`);
  }
}

function describeGroup(group: RunGroup, methods: Record<string, Record<string, MethodColumns>>): Group {
  const { name, hash, places, runs } = group;
  const config = runs[0]!.config!;
  const modes = primaryAnswers(runs);
  const names: Record<string, string> = {};
  const models = new Set([...modes.values()].map(({ model }) => model));
  const ways = new Set([...modes.values()].map(({ mode }) => mode));
  for (const [key, { mode, model }] of modes) {
    const method = [name, ...(ways.size > 1 ? [mode] : []), ...(models.size > 1 ? [model] : [])].join(' · ');
    const columns = columnsOf(runs, key);
    if (Object.keys(columns).length === 0) continue;
    methods[method] = columns;
    names[key] = method;
  }
  const keys = new Set(runs.flatMap(({ measures }) => [...measures.keys()]));
  return {
    name,
    hash,
    places,
    config,
    seeds: runs.map(({ seed }) => seed ?? null),
    runs: runs.map((run) => run.name),
    measures: Object.fromEntries([...keys].map((key) => [key, measureOf(runs, key)])),
    methods: names,
  };
}

/** What the group is about: its baseline's way of answering, else latents (and what a wire alone can do). */
function primaryAnswers(runs: readonly RunReading[]): Map<string, Answers> {
  const kind = String(runs[0]!.config?.baseline?.kind ?? 'none');
  const primary = new Map<string, Answers>();
  for (const { answers } of runs) {
    for (const [key, entry] of answers) {
      const mine =
        kind === 'none' ? entry.mode === 'latent' : entry.mode === (MODE_OF_BASELINE[kind] ?? kind);
      if (mine && !primary.has(key)) primary.set(key, entry);
    }
  }
  // A baseline of its own kind (a probe, say) may name its way of answering as it likes.
  if (primary.size === 0 && kind !== 'none')
    for (const [key, entry] of runs[0]!.answers) primary.set(key, entry);
  return primary;
}

/** metric → columns over all seeds; a metric that some seed lacks is left out for that seed only. */
function columnsOf(runs: readonly RunReading[], key: string): Record<string, MethodColumns> {
  const columns: Record<string, MethodColumns> = {};
  for (const metric of Object.keys(METRICS)) {
    const parts = runs.flatMap(({ answers, seed, name }) => {
      const entry = answers.get(key);
      const scores = entry?.scores.get(metric);
      return entry === undefined || scores === undefined ? [] : [{ entry, scores, seed: seed ?? name }];
    });
    if (parts.length === 0) continue;
    const clustered = parts.every(({ entry }) => entry.clusters !== undefined);
    columns[metric] = {
      items: parts.flatMap(({ entry }) => entry.items),
      seeds: parts.flatMap(({ entry, seed }) => entry.items.map(() => seed)),
      ...(clustered && { clusters: parts.flatMap(({ entry }) => entry.clusters!) }),
      scores: parts.flatMap(({ scores }) => scores),
    };
  }
  return columns;
}

function measureOf(runs: readonly RunReading[], key: string): Measure {
  const values = runs.flatMap(({ measures, seed, name }) => {
    const value = measures.get(key);
    return value === undefined ? [] : [{ seed: seed ?? null, run: name, value }];
  });
  const n = values.length;
  const mean = values.reduce((sum, { value }) => sum + value, 0) / n;
  const squares = values.reduce((sum, { value }) => sum + (value - mean) ** 2, 0);
  const missing = runs.filter(({ measures }) => !measures.has(key)).map(({ name }) => name);
  return {
    mean,
    std: n < 2 ? null : Math.sqrt(squares / (n - 1)),
    n,
    values,
    ...(missing.length > 0 && { missing }),
  };
}

/** Reference ways of answering, each once, from the first run that has it; runs that disagree are named. */
function referenceMethods(
  runs: readonly RunReading[],
  methods: Record<string, Record<string, MethodColumns>>,
  problems: string[],
): Reference[] {
  const found = new Map<string, { reference: Omit<Reference, 'method'>; entry: Answers }>();
  for (const run of runs) {
    for (const [key, entry] of run.answers) {
      if (!REFERENCE_MODES.includes(entry.mode)) continue;
      const dataset = String(run.config?.data?.dataset ?? '');
      const budget = entry.mode.startsWith('token_budget') ? Number(run.config?.wire?.latent_len) : null;
      const id = JSON.stringify([entry.mode, entry.model, dataset, budget]);
      const known = found.get(id);
      if (known !== undefined) {
        if (!sameScores(known.entry, entry)) {
          problems.push(
            `${run.name}: ${key} gives other answers than in ${known.reference.run}, whose scores are used`,
          );
        }
        continue;
      }
      const prefix = `${key}/`;
      const measures = [...run.measures].flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
      );
      found.set(id, {
        entry,
        reference: {
          mode: entry.mode,
          model: entry.model,
          dataset,
          budget,
          run: run.name,
          measures: Object.fromEntries(measures),
        },
      });
    }
  }
  const all = [...found.values()];
  const models = new Set(all.map(({ reference }) => reference.model));
  const datasets = new Set(all.map(({ reference }) => reference.dataset));
  return all.map(({ reference, entry }) => {
    const { mode, model, dataset, budget } = reference;
    const method = [
      budget === null ? mode : `${mode} M=${budget}`,
      ...(models.size > 1 ? [model] : []),
      ...(datasets.size > 1 ? [dataset] : []),
    ].join(' · ');
    methods[method] = Object.fromEntries(
      [...entry.scores].map(([metric, scores]) => [
        metric,
        {
          items: entry.items,
          seeds: entry.items.map(() => 0),
          ...(entry.clusters !== undefined && { clusters: entry.clusters }),
          scores,
        },
      ]),
    );
    return { method, ...reference };
  });
}

function sameScores(a: Answers, b: Answers): boolean {
  const [x, y] = [a.scores.get('f1')!, b.scores.get('f1')!];
  // Another number of questions is another question; what both have must agree.
  if (a.items.length !== b.items.length) return true;
  return a.items.every((item, i) => item === b.items[i] && x[i] === y[i]);
}

function missingCells(
  directory: string,
  plans: readonly PlanRecord[],
  readings: readonly RunReading[],
): ResultsDocument['missing'] {
  const byName = new Map(readings.map((reading) => [reading.name, reading]));
  const cells = new Map(plans.flatMap((plan) => plan.cells.map((cell) => [cell.name, cell] as const)));
  return [...cells.values()].flatMap((cell) => {
    const reading = byName.get(cell.name);
    if (reading?.state === 'completed' && reading.config !== undefined) return [];
    const why =
      reading === undefined
        ? wasCompleted(directory, cell.name)
          ? 'its run directory was deleted after it was completed'
          : 'not run'
        : reading.error === undefined
          ? reading.state
          : `${reading.state}: ${reading.error}`;
    return [{ cell: `${titleOf(cell.places[0]!)} (seed ${cell.seed})`, name: cell.name, why }];
  });
}

function wasCompleted(directory: string, name: string): boolean {
  try {
    return readAttempts(cellFiles(directory, name).attempts).everCompleted;
  } catch {
    return false;
  }
}

function chooseBaseline(methods: ResultsDocument['methods'], wanted: string | undefined): string | null {
  const names = Object.keys(methods);
  if (wanted === undefined) return names.find((name) => /^text\b/.test(name)) ?? names[0] ?? null;
  if (names.includes(wanted)) return wanted;
  throw new LatentWireError(`--baseline: expected one of the methods, got ${wanted}`, {
    code: 'input',
    hint: `there are ${names.slice(0, 12).join('; ')}${names.length > 12 ? '; …' : ''}`,
  });
}
