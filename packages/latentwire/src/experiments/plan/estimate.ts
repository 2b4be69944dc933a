/**
 * What a plan will cost: hours and disk, cell by cell, from speeds that earlier runs measured and, where there
 * are none, from assumptions that the plan states. Each estimate says which of the two it is.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { examplesPerStep, parseConfig, type RunConfig, settingsHash } from '../../config/index.js';
import { type DiagnosticsRow, readDiagnostics } from '../../telemetry/index.js';
import type { Cell, Plan } from './expand.js';

export interface Measurement {
  /** Of the configuration without its seed. */
  readonly group: string;
  /** What decides speed: models, encoder, batch, device. */
  readonly shape: string;
  readonly examplesPerSecond: number | undefined;
  /** Seconds of the run besides training steps: load, evaluation, figures. */
  readonly overheadSeconds: number | undefined;
  readonly trainableParameters: number | undefined;
}

export interface CellEstimate {
  readonly cell: Cell;
  readonly steps: number;
  readonly seconds: number;
  readonly diskBytes: number;
  /** same cell (another seed), like runs (same models and batch), or the plan's assumptions. */
  readonly basis: 'same cell' | 'like runs' | 'assumed';
}

export interface PlanEstimate {
  readonly cells: readonly CellEstimate[];
  /** One after the other, in hours. */
  readonly hours: number;
  readonly diskBytes: number;
}

/** Examples of a whole dataset, for `samples: all` (official training files). */
const WHOLE: Readonly<Record<string, number>> = {
  squad: 87_599,
  squad_v2: 130_319,
  hotpot: 90_447,
  gsm8k: 7_473,
  sst2: 67_349,
  agnews: 120_000,
  trec: 5_452,
  boolq: 9_427,
};
const WHOLE_DEV: Readonly<Record<string, number>> = {
  squad: 10_570,
  squad_v2: 11_873,
  hotpot: 7_405,
  gsm8k: 1_319,
  sst2: 872,
  agnews: 7_600,
  trec: 500,
  boolq: 3_270,
};
/** Bytes of a row of diagnostics.jsonl, of predictions.jsonl, and of logs, figures and reports of one run. */
const ROW_BYTES = { diagnostics: 700, prediction: 320, rest: 3e6 };
/** Ways of answering of one run: text, token budget, no context, latent, shuffled. */
const MODES = 5;

/** @param earlier runs to take speeds from; `readMeasurements` finds them */
export function estimatePlan(plan: Plan, earlier: readonly Measurement[] = []): PlanEstimate {
  const cells = plan.cells.map((cell) => estimateCell(cell, plan, earlier));
  return {
    cells,
    hours: cells.reduce((sum, { seconds }) => sum + seconds, 0) / 3600,
    diskBytes: cells.reduce((sum, { diskBytes }) => sum + diskBytes, 0),
  };
}

function estimateCell(cell: Cell, plan: Plan, earlier: readonly Measurement[]): CellEstimate {
  const { config } = cell;
  const assumed = plan.assumptions;
  const group = settingsHash(config, ['run.seed']);
  const same = earlier.filter((run) => run.group === group);
  const like = earlier.filter((run) => run.shape === shapeOf(config));
  const pick = (key: 'examplesPerSecond' | 'overheadSeconds' | 'trainableParameters'): number | undefined =>
    median(same.map((run) => run[key])) ?? median(like.map((run) => run[key]));
  const examplesPerSecond = pick('examplesPerSecond');
  const steps = stepsOf(config);
  const examples = steps * examplesPerStep(config.training);
  const questions = config.evaluation.eval_samples ?? WHOLE_DEV[config.data.dataset] ?? 1000;
  const models = Math.max(1, config.model.ids.length);
  const trained = config.baseline.kind === 'none';

  const training = trained ? examples / (examplesPerSecond ?? assumed.examples_per_second) : 0;
  const limit =
    config.training.max_minutes === null ? Number.POSITIVE_INFINITY : 60 * config.training.max_minutes;
  const overhead =
    pick('overheadSeconds') ??
    assumed.start_seconds + (questions * models * (trained ? MODES : 1)) / assumed.questions_per_second;
  const parameters = trained ? (pick('trainableParameters') ?? assumed.trainable_parameters) : 0;
  return {
    cell,
    steps: trained ? steps : 0,
    seconds: Math.min(training, limit) + overhead,
    diskBytes:
      // Weights and two moments, 4 bytes each.
      12 * parameters +
      (trained ? steps * ROW_BYTES.diagnostics : 0) +
      questions * models * (trained ? MODES : 1) * ROW_BYTES.prediction +
      ROW_BYTES.rest,
    basis: same.length > 0 ? 'same cell' : examplesPerSecond !== undefined ? 'like runs' : 'assumed',
  };
}

/** Optimiser steps of a run. */
export function stepsOf(config: RunConfig): number {
  const { epochs, max_steps } = config.training;
  if (config.baseline.kind !== 'none') return 0;
  const samples = config.data.samples ?? WHOLE[config.data.dataset] ?? 10_000;
  const perEpoch = Math.ceil(samples / examplesPerStep(config.training));
  return Math.min(epochs * perEpoch, max_steps ?? Number.POSITIVE_INFINITY);
}

function shapeOf(config: RunConfig): string {
  const { ids, dtype } = config.model;
  const { type, id, max_tokens, lora_rank } = config.encoder;
  const { batch_size } = config.training;
  return JSON.stringify([
    ids,
    dtype,
    type,
    id,
    max_tokens,
    lora_rank,
    batch_size,
    config.data.dataset,
    config.baseline.kind,
  ]);
}

/** Speeds of the completed runs in the folders `roots`; what cannot be read is left out. */
export function readMeasurements(roots: readonly string[]): Measurement[] {
  return roots.flatMap((root) => {
    if (!existsSync(root)) return [];
    return readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
      if (!entry.isDirectory() || entry.name.startsWith('.')) return [];
      const found = measure(path.join(root, entry.name));
      return found === undefined ? [] : [found];
    });
  });
}

interface TrainBlock {
  readonly seconds?: unknown;
  readonly samples_per_second?: unknown;
}

function measure(directory: string): Measurement | undefined {
  const config = readConfig(path.join(directory, 'config.json'));
  const metrics = readJson(path.join(directory, 'logs', 'metrics.json'));
  const status = readJson(path.join(directory, 'status.json'));
  if (config === undefined || metrics === undefined || status?.state !== 'completed') return undefined;
  const train = (metrics.train ?? {}) as TrainBlock;
  const environment = readJson(path.join(directory, 'environment.json'));
  const wall = (Date.parse(String(status.updated_at)) - Date.parse(String(environment?.recorded_at))) / 1000;
  const training = typeof train.seconds === 'number' ? train.seconds : 0;
  const speed = typeof train.samples_per_second === 'number' ? train.samples_per_second : rateOf(directory);
  return {
    group: settingsHash(config, ['run.seed']),
    shape: shapeOf(config),
    examplesPerSecond: speed,
    // An interrupted run spent time elsewhere: only a single attempt tells.
    overheadSeconds: status.attempt === 1 && wall >= training ? wall - training : undefined,
    trainableParameters:
      typeof metrics.trainable_parameters === 'number' ? metrics.trainable_parameters : undefined,
  };
}

/** Examples per second of the last half of a run's steps. */
function rateOf(directory: string): number | undefined {
  let rows: DiagnosticsRow[];
  try {
    rows = readDiagnostics(path.join(directory, 'logs', 'diagnostics.jsonl'));
  } catch {
    return undefined;
  }
  return median(
    rows
      .slice(Math.floor(rows.length / 2))
      .map(({ samples_per_second: rate }) => (typeof rate === 'number' ? rate : undefined)),
  );
}

function readConfig(file: string): RunConfig | undefined {
  try {
    return parseConfig(readJson(file), file);
  } catch {
    return undefined;
  }
}

function readJson(file: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values
    .filter((value) => value !== undefined && Number.isFinite(value))
    .sort((a, b) => a! - b!);
  return sorted[Math.floor(sorted.length / 2)];
}
