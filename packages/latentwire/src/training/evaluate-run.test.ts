import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { faultyFileSystem } from '../../test/support/faulty-file-system.js';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import type { Example } from '../data/index.js';
import { type RunPaths, readPredictionRows, runIdOf, runPaths, silentLogger } from '../telemetry/index.js';
import {
  type EvaluateRunOptions,
  type EvaluateRunResult,
  evaluateRun,
  evaluationModes,
} from './evaluate-run.js';
import { examples, QUESTIONS, type TinyEvaluation, tinyEvaluation } from './tiny-evaluation.fixture.js';

const within = temporaryFolder();
let runs = 0;

function newRun(): RunPaths {
  const paths = runPaths(within(), runIdOf(`run-${++runs}`));
  mkdirSync(paths.logs, { recursive: true });
  return paths;
}

const tiny = tinyEvaluation();

async function evaluate(
  paths: RunPaths,
  options: Partial<EvaluateRunOptions> & { questions?: readonly Example[]; from?: TinyEvaluation } = {},
): Promise<EvaluateRunResult> {
  const { questions = examples(), from = tiny, ...rest } = options;
  return evaluateRun(from.session, await from.prepare(questions), { paths, logger: silentLogger, ...rest });
}

/** Says stop after so many batches. */
function after(batches: number): () => boolean {
  let asked = 0;
  return () => asked++ >= batches;
}

/** What an evaluation leaves: the bytes of the predictions, and the metrics. */
async function outcome(
  paths: RunPaths,
  result: EvaluateRunResult,
): Promise<{ rows: string; metrics: string }> {
  if (result.state !== 'complete') throw new Error('expected a complete evaluation');
  return { rows: readFileSync(paths.predictions, 'utf8'), metrics: JSON.stringify(result.metrics) };
}

const whole = newRun();
const expected = outcome(whole, await evaluate(whole));
// Five modes of three batches for each of two models, and three joint ones.
const BATCHES = 5 * 3 * 2 + 3;

describe('an interrupted evaluation', () => {
  it('goes on to the bytes and metrics of an uninterrupted one', async () => {
    for (const batches of [0, 1, 14, 15, 29, 30, BATCHES - 1]) {
      const paths = newRun();
      const first = await evaluate(paths, { shouldStop: after(batches) });
      expect(first).toMatchObject({ state: 'interrupted', total: (5 * 2 + 1) * QUESTIONS });
      expect(readPredictionRows(paths.predictions)).toHaveLength((first as { done: number }).done);
      expect(await outcome(paths, await evaluate(paths))).toEqual(await expected);
    }
  });

  it('gets there when stopped at every batch boundary, and computes no batch twice', async () => {
    const paths = newRun();
    let answered = 0;
    const onProgress = () => answered++;
    let result = await evaluate(paths, { shouldStop: after(1), onProgress });
    while (result.state === 'interrupted')
      result = await evaluate(paths, { shouldStop: after(1), onProgress });
    expect(await outcome(paths, result)).toEqual(await expected);
    expect(answered).toBe(BATCHES);
  });

  it('repairs a torn last line and a partly written batch, wherever it was cut', async () => {
    const bytes = Buffer.byteLength((await expected).rows);
    for (const cut of [1, 100, 0.2, 0.31, 0.5, 0.77, 1 - 1 / bytes]) {
      const paths = newRun();
      await evaluate(paths, { shouldStop: after(BATCHES - 1) });
      const length = readFileSync(paths.predictions).length;
      truncateSync(paths.predictions, Math.min(length - 1, cut < 1 ? Math.floor(cut * bytes) : cut));
      expect(await outcome(paths, await evaluate(paths))).toEqual(await expected);
    }
  });

  it('survives a full disk in the middle of a row', async () => {
    const paths = newRun();
    const fs = faultyFileSystem({ call: 'write', code: 'ENOSPC', at: 12, shortBy: 9 });
    await expect(evaluate(paths, { fs })).rejects.toMatchObject({ code: 'io' });
    expect(await outcome(paths, await evaluate(paths))).toEqual(await expected);
  });

  it('of other settings, questions or weights does not go on: it starts anew', async () => {
    const paths = newRun();
    await evaluate(paths, { shouldStop: after(4) });
    const longer = tinyEvaluation({ 'evaluation.max_new_tokens': 6 });
    const fresh = newRun();
    const result = await outcome(fresh, await evaluate(fresh, { from: longer }));
    expect(result.rows).not.toBe((await expected).rows);
    expect(await outcome(paths, await evaluate(paths, { from: longer }))).toEqual(result);
  });

  it('that was finished, or whose mark is damaged, is done again', async () => {
    const paths = newRun();
    await evaluate(paths);
    let answered = 0;
    const onProgress = () => answered++;
    expect(await outcome(paths, await evaluate(paths, { onProgress }))).toEqual(await expected);
    expect(answered).toBe(BATCHES);
    writeFileSync(`${paths.logs}/evaluation.json`, '{');
    expect(await outcome(paths, await evaluate(paths))).toEqual(await expected);
  });
});

describe('predictions', () => {
  it('do not depend on gold answers: permuted or removed, they are the same bytes', async () => {
    const answersOf = async (questions: readonly Example[]) => {
      const paths = newRun();
      await evaluate(paths, { questions });
      const rows = readPredictionRows(paths.predictions);
      return rows
        .map(({ mode, model, id, prediction }) => [mode, model, id, prediction].join('\u0000'))
        .join('\n');
    };
    const own = await answersOf(examples());
    const permuted = examples().map((example, i, all) => ({
      ...example,
      answers: all[(i + 3) % all.length]!.answers,
    }));
    expect(await answersOf(permuted)).toBe(own);
    expect(await answersOf(examples().map((example) => ({ ...example, answers: [] })))).toBe(own);
    expect(new Set(own.split('\n').map((line) => line.split('\u0000')[3])).size).toBeGreaterThan(5);
  });

  it('are a row per question, model and mode, with scores and likelihoods', () => {
    const rows = readPredictionRows(whole.predictions);
    const keys = rows.map(({ mode, model, id }) => `${mode} ${model} ${id}`);
    expect(new Set(keys).size).toBe(11 * QUESTIONS);
    for (const row of rows) {
      if (row.mode === 'joint') continue;
      expect(row.nll).toBeGreaterThan(0);
      // The stop token counts, so that an empty gold has a likelihood as well.
      expect(row.nll_tokens).toBe((row.answers[0] ?? '').length + ' '.length + 1);
      expect(row.first_token_rank).toBeLessThan(32);
    }
  });

  it('leave no tensor behind', async () => {
    await evaluate(newRun());
    const before = t.liveTensors();
    await evaluate(newRun());
    expect(t.liveTensors()).toBe(before);
  });
});

describe('metrics', () => {
  it('are the means of the rows, with costs and agreement', async () => {
    const rows = readPredictionRows(whole.predictions);
    const metrics = JSON.parse((await expected).metrics);
    const [a, b] = tiny.session.readers.map(({ name }) => name);
    const mean = (values: number[]) => values.reduce((x, y) => x + y, 0) / values.length;
    for (const mode of ['text', 'token_budget', 'no_context', 'latent', 'shuffled']) {
      for (const model of [a, b]) {
        const own = rows.filter((row) => row.mode === mode && row.model === model);
        expect(metrics[mode][model!].f1).toBeCloseTo(mean(own.map((row) => row.f1)), 12);
        const nats = own.reduce((n, row) => n + row.nll!, 0) / own.reduce((n, row) => n + row.nll_tokens!, 0);
        expect(metrics[mode][model!].nll_token).toBeCloseTo(nats, 12);
      }
    }
    const { bytes, ratios, context_positions } = metrics.latent[a!];
    expect(context_positions).toBe(3);
    expect(bytes.message).toBeGreaterThan(3 * 8 * 4);
    expect(ratios.utf8).toBeCloseTo(bytes.utf8 / bytes.message, 12);
    expect(ratios.tokens).toBeGreaterThan(1);
    expect(metrics.text[a!].ratios).toMatchObject({ tokens: 1, utf8: 1 });
    expect(metrics.no_context[a!].ratios).toBeUndefined();
    expect(metrics.joint[`${a}+${b}`].f1).toBeLessThanOrEqual(metrics.agreement.latent.oracle_f1);
    expect(metrics.agreement.latent.oracle_f1).toBeGreaterThanOrEqual(metrics.latent[a!].f1);
  });

  it('hold latencies only when they are asked for', async () => {
    expect((await expected).metrics).not.toContain('latency');
    const timed = tinyEvaluation({
      'evaluation.measure_latency': true,
      'evaluation.eval_modes': ['text,latent'],
    });
    const result = await evaluate(newRun(), { from: timed });
    if (result.state !== 'complete') throw new Error('expected a complete evaluation');
    expect(result.metrics.latency).toMatchObject({ device: 'cpu', batch_size: 3, runs: 7 });
    const { text, latent } = result.metrics.latency!.modes;
    const [name] = Object.keys(text!);
    expect(text![name!]!.encoder_ms).toBeUndefined();
    expect(latent![name!]!.encoder_ms).toBeGreaterThan(0);
    expect(latent![name!]!.prefill_ms).toBeGreaterThan(0);
  });
});

describe('evaluation modes', () => {
  it('are named with commas or one by one, come in the order of tables, and typos are named', () => {
    expect(evaluationModes(['latent,text', 'pooled_embeddings'])).toEqual([
      'text',
      'latent',
      'pooled_embeddings',
    ]);
    expect(evaluationModes([])).toContain('shuffled');
    expect(() => evaluationModes(['latnet'])).toThrow('got "latnet"');
  });
});
