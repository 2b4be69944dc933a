/**
 * Synthetic run directories for measuring aggregate, status and query: the files of a finished run with the
 * contents that training writes, 3 seeds per configuration. Usage: node make-runs.mjs FOLDER COUNT
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { applyAssignments } from '../../packages/latentwire/dist/config/index.js';

/** Questions per run and way of answering; steps per run. */
export const QUESTIONS = 24;
const STEPS = 40;
const MODES = ['text', 'token_budget', 'latent'];

/**
 * @param {string} folder
 * @param {number} count
 */
export function makeRuns(folder, count) {
  const base = applyAssignments([
    { path: 'model.ids', value: ['some/model'], origin: 'bench' },
    { path: 'data.dataset', value: 'facts', origin: 'bench' },
  ]);
  for (let i = 0; i < count; i++) {
    const seed = [42, 123, 456][i % 3];
    const group = Math.floor(i / 3);
    const name = `core-cell${group}-s${seed}`;
    const directory = path.join(folder, name);
    mkdirSync(path.join(directory, 'logs'), { recursive: true });
    const config = {
      ...base,
      wire: { ...base.wire, latent_len: 1 + (group % 64) },
      training: { ...base.training, max_steps: 1 + group },
      run: { ...base.run, seed, save_dir: directory },
    };
    const score = (/** @type {number} */ k, /** @type {number} */ m) =>
      ((i * 31 + k * 17 + m * 7) % 100) / 100;
    // Reference ways of answering do not depend on the run.
    const value = (/** @type {number} */ k, /** @type {number} */ m) =>
      m === 2 ? score(k, 2 + group) : ((k * 17 + m * 7 + (m === 1 ? group % 64 : 0)) % 100) / 100;
    const rows = MODES.flatMap((mode, m) =>
      Array.from({ length: QUESTIONS }, (_, k) => ({
        id: `facts-dev-0-${k}-0`,
        model: 'tiny-llama',
        mode,
        prediction: 'some answer of a few words',
        answers: ['the answer'],
        em: Number(value(k, m) > 0.5),
        f1: value(k, m),
        nll: 3.5 + value(k, m),
        nll_tokens: 4,
        first_token_rank: 3,
        context_id: `context-${k >> 2}`,
      })),
    );
    const scores = (/** @type {number} */ m) => {
      const own = rows.slice(m * QUESTIONS, (m + 1) * QUESTIONS);
      const average = (/** @type {'f1' | 'em'} */ key) =>
        own.reduce((sum, row) => sum + row[key], 0) / QUESTIONS;
      return {
        'tiny-llama': {
          em: average('em'),
          f1: average('f1'),
          ratios: { tokens: 4, utf8: 1.1 },
          seconds: 1.5,
        },
      };
    };
    const metrics = {
      dataset: 'facts',
      samples: QUESTIONS,
      ...Object.fromEntries(MODES.map((mode, m) => [mode, scores(m)])),
      train: { steps: STEPS, seconds: 10, samples_per_second: 64 },
    };
    const put = (/** @type {string} */ file, /** @type {string} */ text) =>
      writeFileSync(path.join(directory, file), text);
    put('config.json', JSON.stringify(config, null, 2));
    put(
      'status.json',
      JSON.stringify({
        state: 'completed',
        run: name,
        attempt: 1,
        updated_at: '2026-01-01T00:00:00Z',
        step: STEPS,
      }),
    );
    put('environment.json', JSON.stringify({ versions: { torch: '2.11.0', latentwire: '0.1.0' } }));
    put('logs/metrics.json', JSON.stringify(metrics, null, 2));
    put('predictions.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    put(
      'logs/diagnostics.jsonl',
      Array.from(
        { length: STEPS },
        (_, s) =>
          `${JSON.stringify({ step: s + 1, attempt: 1, time: '2026-01-01T00:00:00Z', loss: 5 - s / STEPS, lr: 0.001, samples: 32, samples_per_second: 64, seconds: 0.5 })}\n`,
      ).join(''),
    );
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  makeRuns(process.argv[2] ?? 'runs/synthetic', Number(process.argv[3] ?? 10_000));
}
