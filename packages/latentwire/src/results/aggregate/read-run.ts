/**
 * One run directory as numbers, with everything that is wrong with it by name. Nothing here throws for what a
 * crash, another version or a careless hand can leave behind; nothing is guessed.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseConfig, settingsHash } from '../../config/index.js';
import { numberOf, type RunState, readStatus } from '../../telemetry/index.js';

export interface RunReading {
  /** Name of the run directory. */
  readonly name: string;
  readonly state: RunState | 'unknown';
  /** Last words of a run that failed. */
  readonly error: string | undefined;
  readonly attempt: number;
  readonly step: number;
  readonly config: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  /** `settingsHash` of the configuration, and of it without the seed; '' when there is none. */
  readonly configHash: string;
  readonly groupHash: string;
  readonly seed: number | undefined;
  /** Programs that made it, as far as environment.json says. */
  readonly versions: Readonly<Record<string, string>>;
  /** metrics.json, flattened: `latent/tiny-llama/f1` → number. Only finite numbers. */
  readonly measures: ReadonlyMap<string, number>;
  /** predictions.jsonl by `mode/model`; empty when the file cannot be trusted. */
  readonly answers: ReadonlyMap<string, Answers>;
  readonly problems: readonly string[];
}

/** Scores of one way of answering by one model, question by question. */
export interface Answers {
  readonly mode: string;
  readonly model: string;
  readonly items: readonly string[];
  /** Context of each question, when all rows name it. */
  readonly clusters: readonly string[] | undefined;
  /** metric → one score per item; a metric that some row lacks is left out. */
  readonly scores: ReadonlyMap<string, readonly number[]>;
}

export const RUN_FILES = {
  config: 'config.json',
  status: 'status.json',
  environment: 'environment.json',
  metrics: 'logs/metrics.json',
  predictions: 'predictions.jsonl',
  diagnostics: 'logs/diagnostics.jsonl',
} as const;

/** Means of rows and numbers of metrics.json may differ by rounding of sums only. */
const TOLERANCE = 1e-9;

export function readRun(directory: string): RunReading {
  const name = path.basename(directory);
  const problems: string[] = [];
  const config = readObject(path.join(directory, RUN_FILES.config), RUN_FILES.config, problems) as
    | RunReading['config']
    | undefined;
  if (config !== undefined) checkVersion(config, problems);
  const status = statusOf(directory, problems);
  const finished = status?.state === 'completed';
  const metrics = readObject(
    path.join(directory, RUN_FILES.metrics),
    RUN_FILES.metrics,
    finished ? problems : [],
  );
  const measures = measuresOf(metrics ?? {}, problems);
  const answers = finished ? readAnswers(directory, problems) : new Map<string, Answers>();
  if (metrics !== undefined) compareMeans(answers, measures, problems);
  const seed = numberOf(config?.run?.seed);
  const failure = status !== undefined && 'error' in status ? status.error.message : undefined;
  return {
    name,
    state: status?.state ?? 'unknown',
    error: failure?.split('\n', 1)[0],
    attempt: status?.attempt ?? 0,
    step: status !== undefined && 'step' in status ? status.step : 0,
    config,
    configHash: config === undefined ? '' : settingsHash(config),
    groupHash: config === undefined ? '' : settingsHash(config, ['run.seed']),
    seed: seed === undefined || Number.isNaN(seed) ? undefined : seed,
    versions: versionsOf(directory),
    measures,
    answers,
    problems,
  };
}

function statusOf(directory: string, problems: string[]): ReturnType<typeof readStatus> {
  try {
    const status = readStatus(path.join(directory, RUN_FILES.status));
    if (status === undefined) problems.push('status.json is missing');
    return status;
  } catch (error) {
    problems.push(`status.json is damaged: ${(error as Error).message.split(': ').at(-1)}`);
    return undefined;
  }
}

/** A damaged file is a problem; a missing one too, since every finished run has it. */
function readObject(file: string, label: string, problems: string[]): Record<string, unknown> | undefined {
  const text = readText(file);
  if (text === undefined) {
    problems.push(`${label} is missing`);
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
    problems.push(`${label} is no JSON object`);
  } catch {
    problems.push(`${label} is half-written or damaged (not valid JSON)`);
  }
  return undefined;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Checked once per distinct configuration shape: thousands of runs share it. */
const knownShapes = new Map<string, string | undefined>();

function checkVersion(config: NonNullable<RunReading['config']>, problems: string[]): void {
  const shape = Object.entries(config)
    .map(([group, fields]) => `${group}:${Object.keys(fields ?? {}).join()}`)
    .join(';');
  if (!knownShapes.has(shape)) {
    let problem: string | undefined;
    try {
      parseConfig(config, RUN_FILES.config);
    } catch (error) {
      problem = `config.json is of another version: ${(error as Error).message.split('\n', 1)[0]}`;
    }
    knownShapes.set(shape, problem);
  }
  const problem = knownShapes.get(shape);
  if (problem !== undefined) problems.push(problem);
}

/** Metrics as `latent/tiny-llama/f1` → number. @param problems gets what is no finite number */
export function measuresOf(
  metrics: Readonly<Record<string, unknown>>,
  problems: string[],
): Map<string, number> {
  const measures = new Map<string, number>();
  flatten(metrics, '', measures, problems);
  return measures;
}

function flatten(value: unknown, prefix: string, measures: Map<string, number>, problems: string[]): void {
  for (const [key, entry] of Object.entries(value as Record<string, unknown>)) {
    const place = prefix === '' ? key : `${prefix}/${key}`;
    const number = numberOf(entry);
    if (number !== undefined) {
      if (Number.isFinite(number)) measures.set(place, number);
      else problems.push(`metrics.json: ${place} is ${number}`);
    } else if (typeof entry === 'object' && entry !== null && !Array.isArray(entry)) {
      flatten(entry, place, measures, problems);
    }
  }
}

function readAnswers(directory: string, problems: string[]): Map<string, Answers> {
  const text = readText(path.join(directory, RUN_FILES.predictions));
  if (text === undefined) {
    problems.push('predictions.jsonl is missing');
    return new Map();
  }
  const rows = parseRows(text, problems);
  const builders = new Map<string, AnswersBuilder>();
  for (const [i, row] of rows.entries()) {
    const key = `${String(row.mode)}/${String(row.model)}`;
    let builder = builders.get(key);
    if (builder === undefined) {
      builder = new AnswersBuilder(String(row.mode), String(row.model));
      builders.set(key, builder);
    }
    const problem = builder.add(row);
    if (problem !== undefined) {
      problems.push(`predictions.jsonl: line ${i + 1}: ${problem}; its scores are not used`);
      return new Map();
    }
  }
  return new Map([...builders].map(([key, builder]) => [key, builder.build()]));
}

type Row = Readonly<Record<string, unknown>>;

/**
 * Rows of ways of answering that need no training are the same, byte for byte, in run after run: most lines of
 * an experiment. They are parsed once.
 */
const knownRows = new Map<string, Row>();
const KNOWN_ROWS = 400_000;
const REPEATED = new Set(['text', 'no_context', 'token_budget', 'token_budget_last', 'token_budget_random']);

/** All rows, or none when one of them is damaged. */
function parseRows(text: string, problems: string[]): readonly Row[] {
  const lines = text.split('\n');
  const whole = lines.at(-1) === '';
  if (whole) lines.pop();
  const rows: Row[] = [];
  for (const [i, line] of lines.entries()) {
    try {
      rows.push(knownRows.get(line) ?? parseRow(line));
    } catch {
      const torn = !whole && i === lines.length - 1;
      problems.push(
        `predictions.jsonl: line ${i + 1} is ${torn ? 'half-written' : 'damaged'}; its scores are not used`,
      );
      return [];
    }
  }
  return rows;
}

function parseRow(line: string): Row {
  const row = JSON.parse(line) as Row;
  if (REPEATED.has(String(row.mode)) && knownRows.size < KNOWN_ROWS) knownRows.set(line, row);
  return row;
}

/** Scores that rows carry: exact match, F1, and −log p per token of the gold answer. */
class AnswersBuilder {
  readonly #mode: string;
  readonly #model: string;
  readonly #items: string[] = [];
  readonly #seen = new Set<string>();
  readonly #clusters: string[] = [];
  readonly #f1: number[] = [];
  readonly #em: number[] = [];
  readonly #nll: number[] = [];

  constructor(mode: string, model: string) {
    this.#mode = mode;
    this.#model = model;
  }

  /** @returns what is wrong with the row */
  add(row: Record<string, unknown>): string | undefined {
    const { id, em, f1, nll, nll_tokens, context_id } = row;
    if (typeof id !== 'string') return 'expected an id';
    if (this.#seen.has(id)) return `${id} is there twice for ${this.#mode}/${this.#model}`;
    for (const [name, value] of [
      ['em', em],
      ['f1', f1],
    ] as const) {
      if (typeof value !== 'number' || !Number.isFinite(value))
        return `expected a finite ${name}, got ${String(value)}`;
    }
    this.#seen.add(id);
    this.#items.push(id);
    this.#f1.push(f1 as number);
    this.#em.push(em as number);
    if (typeof nll === 'number' && typeof nll_tokens === 'number' && nll_tokens > 0)
      this.#nll.push(nll / nll_tokens);
    if (typeof context_id === 'string' && context_id !== '') this.#clusters.push(context_id);
    return undefined;
  }

  build(): Answers {
    const n = this.#items.length;
    const scores = new Map<string, readonly number[]>([
      ['f1', this.#f1],
      ['em', this.#em],
    ]);
    if (this.#nll.length === n) scores.set('nll', this.#nll);
    return {
      mode: this.#mode,
      model: this.#model,
      items: this.#items,
      clusters: this.#clusters.length === n ? this.#clusters : undefined,
      scores,
    };
  }
}

function compareMeans(
  answers: ReadonlyMap<string, Answers>,
  measures: ReadonlyMap<string, number>,
  problems: string[],
): void {
  for (const [key, { scores, items }] of answers) {
    for (const metric of ['f1', 'em']) {
      const stated = measures.get(`${key}/${metric}`);
      if (stated === undefined || items.length === 0) continue;
      const found = scores.get(metric)!.reduce((a, b) => a + b, 0) / items.length;
      if (Math.abs(found - stated) > TOLERANCE) {
        problems.push(
          `metrics.json says ${key}/${metric} = ${stated}, the rows of predictions.jsonl give ${found}`,
        );
      }
    }
  }
}

function versionsOf(directory: string): Record<string, string> {
  const document = readObject(path.join(directory, RUN_FILES.environment), RUN_FILES.environment, []);
  const versions = (document?.versions ?? {}) as Record<string, unknown>;
  const git = document?.git as { commit?: unknown } | null | undefined;
  return Object.fromEntries(
    [...Object.entries(versions), ['commit', git?.commit]].flatMap(([name, version]) =>
      typeof version === 'string' ? [[name as string, version]] : [],
    ),
  );
}
