/**
 * Run directories as a finished plan leaves them, without training: scores follow a simple law of M, d_z, sample
 * size and ablations, so that tables and figures have something to show, and every number can be recomputed.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunConfig } from '../config/index.js';
import { type Cell, loadPlan, type Plan, writePlanRecord } from '../experiments/index.js';

export const SYNTHETIC_PLAN = `version: 1
name: synthetic
seeds: [42, 123, 456]
settings:
  model: {ids: [hub/reader]}
  data: {dataset: squad, samples: 10000}
  wire: {latent_len: 32, d_z: 256}
phases:
  - name: baselines
    kind: baselines
    cells:
      - name: text_only
        settings: {baseline.kind: text_only}
      - name: random_projection
        settings: {baseline.kind: random_projection}
  - name: core
    kind: grid
    grid: {wire.latent_len: [16, 32, 48, 64], wire.d_z: [128, 256, 512]}
  - name: ablations
    kind: ablation
    cells:
      - name: full
      - name: no adapter
        settings: {adapter.disable_adapter: true}
      - name: no calibration
        settings: {adapter.disable_calibration: true}
      - name: no distillation
        settings: {objective.disable_kd: true}
      - name: K=1
        settings: {objective.k: 1}
  - name: samples
    kind: samples
    grid: {data.samples: [1000, 5000, 10000, 50000, 87599]}
`;

const CONTEXT_TOKENS = 166;
const CONTEXT_BYTES = 754;

/** Writes every run of the plan as completed. @param questions per run and way of answering */
export function writeSyntheticExperiment(planFile: string, directory: string, questions = 60): Plan {
  const plan = loadPlan(planFile, { directory });
  writePlanRecord(plan);
  for (const cell of plan.cells) writeRun(cell, questions);
  return plan;
}

function writeRun({ config, name, seed }: Cell, questions: number): void {
  const file = (...parts: string[]): string => path.join(config.run.save_dir, ...parts);
  mkdirSync(file('logs'), { recursive: true });
  const modes = modesOf(config);
  const models = config.model.ids.map((id) => path.basename(id));
  const rows = models.flatMap((model, m) =>
    modes.flatMap(({ mode, level }) =>
      Array.from({ length: questions }, (_, k) => {
        const salt = mode === 'latent' ? seed + config.wire.latent_len * 31 + config.wire.d_z : 7;
        const spread = noise(k, 0) * 0.5 + noise(k, salt + 1009 * m) * 0.3;
        const f1 = Math.round(1000 * Math.min(1, Math.max(0, level + spread - 0.4 + 0.05 * m))) / 1000;
        const texts = { prediction: 'words', answers: ['words'] };
        const scores = { em: Number(f1 > 0.6), f1, nll: 6 - 4 * f1, nll_tokens: 3 };
        return { id: `q${k}`, context_id: `c${k >> 2}`, mode, model, ...texts, ...scores };
      }),
    ),
  );
  const metrics: Record<string, unknown> = {
    dataset: config.data.dataset,
    samples: questions,
    train: { steps: 400, seconds: 300 },
  };
  for (const { mode, tokens, bytes } of modes) {
    const scored = models.map((model) => {
      const own = rows.filter((row) => row.mode === mode && row.model === model);
      const mean = (key: 'f1' | 'em'): number => own.reduce((sum, row) => sum + row[key], 0) / own.length;
      const ratios = { tokens, ...(bytes !== undefined && { utf8: bytes }) };
      const sizes = { message: CONTEXT_BYTES / (bytes ?? 1), utf8: CONTEXT_BYTES, zlib: 470 };
      return [model, { em: mean('em'), f1: mean('f1'), ratios, bytes: sizes, seconds: 12 }] as const;
    });
    metrics[mode] = Object.fromEntries(scored);
  }
  const loss = (step: number): number =>
    1.4 + 64 / (16 + config.wire.latent_len) / 4 + 3.4 * Math.exp(-step / 90) + 0.2 * noise(step, seed);
  const put = (target: string, text: string): void => writeFileSync(target, text);
  put(file('config.json'), JSON.stringify(config));
  put(
    file('status.json'),
    JSON.stringify({
      state: 'completed',
      run: name,
      attempt: 1,
      updated_at: '2026-01-01T00:07:00Z',
      step: 400,
    }),
  );
  put(
    file('environment.json'),
    JSON.stringify({
      recorded_at: '2026-01-01T00:00:00Z',
      versions: { torch: '2.11.0', latentwire: '0.1.0' },
    }),
  );
  put(file('logs', 'metrics.json'), JSON.stringify(metrics));
  put(file('predictions.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  if (config.baseline.kind === 'none') {
    const steps = Array.from({ length: 400 }, (_, i) =>
      JSON.stringify({ step: i + 1, attempt: 1, time: '', loss: loss(i + 1) }),
    );
    put(file('logs', 'diagnostics.jsonl'), `${steps.join('\n')}\n`);
  }
}

interface Mode {
  readonly mode: string;
  /** Centre of its F1. */
  readonly level: number;
  readonly tokens: number;
  readonly bytes?: number;
}

function modesOf(config: RunConfig): Mode[] {
  const { latent_len: latents, d_z: width } = config.wire;
  const tokens = CONTEXT_TOKENS / latents;
  if (config.baseline.kind === 'text_only') return [{ mode: 'text', level: 0.78, tokens: 1 }];
  if (config.baseline.kind === 'random_projection')
    return [{ mode: 'random_projection', level: 0.14, tokens }];
  const { disable_adapter, disable_calibration } = config.adapter;
  const level =
    0.1 +
    0.07 * Math.log2(latents / 4) +
    0.025 * Math.log2(width / 64) +
    0.06 * Math.log10((config.data.samples ?? 1e5) / 1e4) -
    (disable_adapter ? 0.12 : 0) -
    (disable_calibration ? 0.03 : 0) -
    (config.objective.disable_kd ? 0.015 : 0) -
    (config.objective.k === 1 ? 0.04 : 0);
  return [
    { mode: 'text', level: 0.78, tokens: 1 },
    { mode: 'token_budget', level: 0.12 + 0.05 * Math.log2(latents / 8), tokens, bytes: tokens },
    { mode: 'no_context', level: 0.12, tokens: 0 },
    { mode: 'latent', level, tokens, bytes: CONTEXT_BYTES / ((latents * width) / 2) },
  ];
}

/** In [0, 1), a fixed function of its arguments. */
function noise(k: number, salt: number): number {
  let x = (k * 374_761_393 + salt * 668_265_263) | 0;
  x = Math.imul(x ^ (x >>> 13), 1_274_126_177);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}
