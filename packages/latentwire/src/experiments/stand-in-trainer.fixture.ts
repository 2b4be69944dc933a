/**
 * A trainer that needs no model: it keeps the contract of a run directory (status, checkpoint, diagnostics,
 * metrics, predictions), resumes exactly, answers SIGTERM with a checkpoint, and is a pure function of its
 * configuration. What it leaves is byte for byte the same however often it was interrupted.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunConfig } from '../config/index.js';
import {
  DiagnosticsWriter,
  readStatus,
  writeJsonAtomic,
  writeMetrics,
  writeStatus,
} from '../telemetry/index.js';

export interface StandInOptions {
  readonly stepMs: number;
  readonly checkpointEvery: number;
  /** Set when somebody asks it to stop. */
  readonly stopping: () => boolean;
}

/** `data.samples` steps; score rises with `wire.latent_len` and `wire.d_z`. */
export async function standInTrain(
  config: RunConfig,
  options: StandInOptions,
): Promise<'completed' | 'preempted'> {
  const directory = config.run.save_dir;
  const file = (...parts: string[]): string => path.join(directory, ...parts);
  for (const folder of ['logs', 'preempt_checkpoint', 'figures'])
    mkdirSync(file(folder), { recursive: true });
  const attempt = (readStatus(file('status.json'))?.attempt ?? 0) + 1;
  const common = () => ({ run: path.basename(directory), attempt, updated_at: new Date().toISOString() });
  const started_at = new Date().toISOString();
  const running = (step: number): void =>
    writeStatus(file('status.json'), {
      state: 'running',
      phase: 'train',
      pid: process.pid,
      host: 'here',
      started_at,
      step,
      ...common(),
    });
  writeJsonAtomic(file('config.json'), { ...config });
  const checkpoint = file('preempt_checkpoint', 'checkpoint_current.json');
  let { step, value } = readCheckpoint(checkpoint);
  running(step);
  const diagnostics = new DiagnosticsWriter(file('logs', 'diagnostics.jsonl'), { attempt });
  const total = config.data.samples ?? 20;
  const save = (): void => writeJsonAtomic(checkpoint, { step, value });
  while (step < total) {
    await new Promise((resolve) => setTimeout(resolve, options.stepMs));
    step += 1;
    value = (value * 1_103_515_245 + config.run.seed + 12_345) % 2_147_483_648;
    diagnostics.append({ step, loss: value });
    if (step % options.checkpointEvery === 0) {
      save();
      running(step);
    }
    if (options.stopping()) {
      save();
      writeStatus(file('status.json'), {
        state: 'preempted',
        signal: 'SIGTERM',
        step,
        checkpoint,
        ...common(),
      });
      return 'preempted';
    }
  }
  save();
  finish(config, file, value);
  writeStatus(file('status.json'), { state: 'completed', step, ...common() });
  return 'completed';
}

function readCheckpoint(file: string): { step: number; value: number } {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { step: number; value: number };
  } catch {
    return { step: 0, value: 1 };
  }
}

/** Predictions and metrics as functions of the configuration and of the trained value. */
function finish(config: RunConfig, file: (...parts: string[]) => string, value: number): void {
  const questions = config.evaluation.eval_samples ?? 8;
  const strength = Math.log2(config.wire.latent_len * config.wire.d_z) / 20;
  const rows = Array.from({ length: questions }, (_, i) => {
    const f1 = Math.round(1000 * Math.min(1, strength * (0.6 + ((value + i * 7919) % 400) / 1000))) / 1000;
    return {
      id: `q${i}`,
      model: 'm',
      mode: 'latent',
      prediction: `p${i}`,
      answers: ['a'],
      em: Number(f1 > 0.6),
      f1,
    };
  });
  const budget = rows.map((row, i) => ({ ...row, mode: 'token_budget', f1: (i % 5) / 10, em: 0 }));
  writeFileSync(
    file('predictions.jsonl'),
    [...budget, ...rows].map((row) => `${JSON.stringify(row)}\n`).join(''),
  );
  const mean = (list: readonly { f1: number; em: number }[], key: 'f1' | 'em'): number =>
    list.reduce((sum, row) => sum + row[key], 0) / list.length;
  const scores = (list: readonly { f1: number; em: number }[]) => ({
    m: { em: mean(list, 'em'), f1: mean(list, 'f1') },
  });
  writeMetrics(file('logs', 'metrics.json'), {
    dataset: config.data.dataset,
    samples: questions,
    token_budget: scores(budget),
    latent: scores(rows),
    latent_len: config.wire.latent_len,
    d_z: config.wire.d_z,
  } as never);
}
