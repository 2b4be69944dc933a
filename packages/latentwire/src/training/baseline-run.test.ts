import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Logger, type RunPaths, readPredictionRows } from '../telemetry/index.js';
import { evaluateConfigured, isBaselineRun } from './baseline-run.js';
import { examples, QUESTIONS, tinyEvaluation } from './tiny-evaluation.fixture.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'baseline-'));
  mkdirSync(join(folder, 'logs'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const logger = { info: () => {}, warn: () => {} } as unknown as Logger;

async function run(settings: Record<string, unknown>) {
  const { session, prepare } = tinyEvaluation(settings);
  const paths = { logs: join(folder, 'logs'), predictions: join(folder, 'predictions.jsonl') } as RunPaths;
  const result = await evaluateConfigured(session, await prepare(examples()), { paths, logger });
  if (result.state !== 'complete') throw new Error('interrupted');
  return { metrics: result.metrics, rows: readPredictionRows(paths.predictions) };
}

describe('evaluateConfigured', () => {
  it.each([
    ['text_only', {}, 'text'],
    ['no_context', {}, 'no_context'],
    ['token_budget', { 'baseline.budget_mode': 'random' }, 'token_budget_random'],
    ['token_budget', { 'baseline.budget_mode': 'last' }, 'token_budget_last'],
    ['pooled_embeddings', {}, 'pooled_embeddings'],
    ['random_projection', {}, 'random_projection'],
  ])('scores %s alone', async (kind, settings, mode) => {
    const { metrics, rows } = await run({ 'baseline.kind': kind, ...settings });
    expect(new Set(rows.map((row) => row.mode))).toEqual(new Set([mode]));
    expect(rows).toHaveLength(2 * QUESTIONS);
    expect(Object.keys(metrics[mode] as object)).toEqual(['tiny-0', 'tiny-1']);
    expect(metrics).not.toHaveProperty('latent');
  });

  it('scores the probe by predictions of folds that it was not fitted to', async () => {
    const { metrics, rows } = await run({ 'baseline.kind': 'linear_probe', 'baseline.probe_folds': 2 });
    expect(rows).toHaveLength(2 * QUESTIONS);
    const own = rows.filter((row) => row.model === 'tiny-0');
    const accuracy = own.reduce((sum, row) => sum + row.em, 0) / QUESTIONS;
    expect(own.every((row) => row.em === Number(row.prediction === row.gold))).toBe(true);
    const probe = metrics.linear_probe as Record<string, Record<string, number>>;
    expect(probe['tiny-0']!.accuracy).toBeCloseTo(accuracy, 10);
    expect(probe['tiny-0']).toMatchObject({ classes: 2, layer: 1 });
  });

  it('measures everything else when no baseline is named', async () => {
    const { metrics } = await run({ 'evaluation.eval_modes': ['latent', 'no_context'] });
    expect(metrics).toHaveProperty('latent');
    expect(metrics).toHaveProperty('no_context');
    expect(isBaselineRun(tinyEvaluation().session.config)).toBe(false);
  });
});
