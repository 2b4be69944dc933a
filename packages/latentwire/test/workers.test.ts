/** Training with threads that compose batches, and with numbers that are read late: the same bytes as without. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as t from '@latentwire/torch';
import { afterAll, describe, expect, it } from 'vitest';
import { readDiagnostics, silentLogger } from '../src/telemetry/index.js';
import { train as trainHere } from '../src/training/index.js';
import { compileSources } from './support/compile-sources.js';
import { temporaryFolder } from './support/temporary-folder.js';

// Threads cannot run TypeScript: the whole command line is compiled.
const sources = compileSources('cli/main.ts', 'training/batch-composer.ts', 'data/loader/loader-worker.ts');
afterAll(() => sources.remove());
const temporary = temporaryFolder();
const model = fileURLToPath(new URL('../assets/tiny-llama', import.meta.url));

function train(name: string, ...more: string[]): string {
  const directory = temporary(name);
  const args = [
    ...['train', '--model', model, '--encoder-id', model, '--dataset', 'facts', '--save-dir', directory],
    ...[
      '--samples',
      '64',
      '--batch-size',
      '4',
      '--grad-accum',
      '2',
      '--epochs',
      '2',
      '--max-steps',
      '6',
      '--device',
      'cpu',
    ],
    ...[
      '--latent-len',
      '4',
      '--d-z',
      '16',
      '--adapter-hidden',
      '32',
      '--teacher-cache',
      temporary('teacher'),
    ],
    ...['--eval-samples', '8', '--eval-modes', 'latent', '--max-new-tokens', '6', ...more],
  ];
  const { status, stderr } = spawnSync(process.execPath, [sources.file('cli/main'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1' },
  });
  expect(stderr, stderr).not.toContain('error:');
  expect(status).toBe(0);
  return directory;
}

/** Everything that training computed: losses of every step, weights, predictions. */
function outcome(directory: string) {
  using file = t.openSafetensors(path.join(directory, 'preempt_checkpoint/checkpoint_current.safetensors'));
  return {
    losses: readDiagnostics(path.join(directory, 'logs/diagnostics.jsonl')).map(
      ({ loss, grad_norm, tokens, target_tokens, stage }) => ({
        loss,
        grad_norm,
        tokens,
        target_tokens,
        stage,
      }),
    ),
    weights: t.scope(() => new Map(file.names.map((name) => [name, file.load(name).toBytes()]))),
    predictions: readFileSync(path.join(directory, 'predictions.jsonl'), 'utf8'),
  };
}

/** A run without either, saved often. */
let plain: string | undefined;
const plainRun = (): string => (plain ??= train('alone', '--checkpoint-interval', '1'));

describe('training', () => {
  it('computes with worker threads the bytes of training without them', () => {
    const alone = outcome(plainRun());
    expect(alone.losses).toHaveLength(6);
    expect(new Set(alone.losses.map(({ stage }) => stage)).size).toBeGreaterThan(2);
    expect(outcome(train('two', '--num-workers', '2'))).toEqual(alone);
  }, 240_000);

  it('computes the same bytes when the numbers of a step are read after the next was issued', async () => {
    const alone = plainRun();
    const saved = JSON.parse(readFileSync(path.join(alone, 'config.json'), 'utf8'));
    const directory = temporary('late');
    const config = { ...saved, run: { ...saved.run, save_dir: directory } };
    const before = t.liveTensors();
    await trainHere(config, { logger: silentLogger, readLate: true });
    expect(t.liveTensors()).toBe(before);
    expect(outcome(directory)).toEqual(outcome(alone));
  }, 240_000);
});
