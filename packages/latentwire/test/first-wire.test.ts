/** The whole path on the bundled model: train, score, figures, score again; through the command line. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { runCli } from '../src/cli/program.js';
import { runConfigSchema } from '../src/config/index.js';
import { createLogger, readDiagnostics, readPredictionRows } from '../src/telemetry/index.js';
import { train } from '../src/training/index.js';
import { temporaryFolder } from './support/temporary-folder.js';

const model = fileURLToPath(new URL('../assets/tiny-llama', import.meta.url));

async function latentwire(...args: string[]): Promise<{ code: number; json: Record<string, unknown> }> {
  let stdout = '';
  const output = { stdout: (text: string) => (stdout += text), stderr: () => {} };
  const code = await runCli([...args, '--json'], output as never);
  return { code, json: JSON.parse(stdout) as Record<string, unknown> };
}

const settings = (directory: string): string[] => [
  ...['--model', model, '--encoder-id', model, '--dataset', 'facts', '--save-dir', directory],
  ...['--samples', '32', '--batch-size', '4', '--grad-accum', '2', '--max-steps', '6', '--epochs', '2'],
  ...['--latent-len', '8', '--d-z', '16', '--eval-samples', '6', '--max-new-tokens', '6', '--device', 'cpu'],
];

const temporary = temporaryFolder();

describe('latentwire train', () => {
  it('leaves a run that can be read, scored again, and repeated to the byte', async () => {
    const directory = temporary('first');
    const trained = await latentwire('train', ...settings(directory));
    expect(trained.code).toBe(0);
    expect(trained.json.steps).toBe(6);

    const rows = readDiagnostics(path.join(directory, 'logs/diagnostics.jsonl'));
    expect(rows.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rows.map(({ stage }) => stage)).toContain('answers');
    for (const file of ['config.json', 'environment.json', 'figures/loss.png', 'figures/f1.svg']) {
      expect(existsSync(path.join(directory, file)), file).toBe(true);
    }
    expect(status(directory)).toBe('completed');
    const predictions = readPredictionRows(path.join(directory, 'predictions.jsonl'));
    // text, token budget, no context, latents and shuffled latents
    expect(predictions).toHaveLength(5 * 6);

    const repeated = await latentwire('train', ...settings(directory));
    expect(repeated.json.error).toMatchObject({ hint: expect.stringContaining('--auto-resume') });
    expect(status(directory), 'the refusal changed nothing').toBe('completed');
    expect(readFileSync(path.join(directory, 'logs/latest.log'), 'utf8')).toMatch(
      /^error: expected a new run, but .*\nhint: .*--auto-resume/m,
    );

    const seconds = (): number =>
      JSON.parse(readFileSync(path.join(directory, 'logs/metrics.json'), 'utf8')).time_ledger.compute_seconds;
    expect(seconds()).toBeGreaterThan(0);
    const again = await latentwire('eval', '--save-dir', directory);
    // What the training took stays in the ledger of a wire that is scored by itself.
    expect(seconds()).toBeGreaterThan(0);
    expect(again.code).toBe(0);
    expect(scores(again.json)).toEqual(scores(trained.json));

    const fewer = await latentwire(
      'eval',
      '--save-dir',
      directory,
      '--eval-samples',
      '5',
      '--eval-modes',
      'text',
    );
    expect(fewer.code).toBe(0);
    expect(readPredictionRows(path.join(directory, 'predictions.jsonl'))).toHaveLength(5);
    const other = await latentwire('train', ...settings(directory), '--lr', '0.5');
    expect(other.json.error).toMatchObject({
      message: expect.stringContaining('optimizer.lr was 0.001, is now 0.5'),
    });

    const twin = await latentwire('train', ...settings(temporary('twin')));
    expect(scores(twin.json)).toEqual(scores(trained.json));
    const losses = (run: string) =>
      readDiagnostics(path.join(run, 'logs/diagnostics.jsonl')).map(({ loss }) => loss);
    expect(losses(temporary('twin'))).toEqual(losses(directory));
    const weights = (run: string): Map<string, string> => {
      using file = t.openSafetensors(path.join(run, 'preempt_checkpoint/checkpoint_current.safetensors'));
      return t.scope(() => new Map(file.names.map((name) => [name, sha256(file.load(name).toBytes())])));
    };
    expect(weights(temporary('twin'))).toEqual(weights(directory));
  }, 240_000);

  it('opens the bundled model like any other folder', async () => {
    const { code, json } = await latentwire(
      'inspect',
      '--model',
      model,
      '--tokens',
      '5,6,7',
      '--device',
      'cpu',
    );
    expect(code).toBe(0);
    expect(json).toMatchObject({ family: 'llama', tokens: [5, 6, 7] });
  });

  it('may score a wire whose training was interrupted, and then goes on with the training', async () => {
    const directory = temporary('interrupted');
    const config = runConfigSchema.parse({
      model: { ids: [model] },
      data: { dataset: 'facts', samples: 32 },
      encoder: { id: model },
      wire: { latent_len: 8, d_z: 16 },
      training: { batch_size: 4, max_steps: 6 },
      evaluation: { eval_samples: 6, max_new_tokens: 6, eval_modes: ['latent'] },
      system: { device: 'cpu' },
      run: { save_dir: directory },
    });
    const logger = createLogger({ level: 'warn', write: () => {} });
    const steps = () => readDiagnostics(path.join(directory, 'logs/diagnostics.jsonl')).length;
    const stopNotice = () =>
      existsSync(directory) && steps() >= 2 ? { name: 'SIGTERM', monotonicMs: performance.now() } : undefined;
    const { state, steps: done } = await train(config, { logger, stopNotice });
    expect(state).toBe('preempted');
    const before = readFileSync(path.join(directory, 'config.json'));

    const scored = await latentwire('eval', '--save-dir', directory, '--eval-samples', '3');
    expect(scored).toMatchObject({ code: 0, json: { steps: done, metrics: { samples: 3 } } });
    expect(status(directory), 'scoring does not finish a training').toBe('preempted');
    expect(readFileSync(path.join(directory, 'config.json'))).toEqual(before);

    const on = await train(
      { ...config, checkpoint: { ...config.checkpoint, auto_resume: true } },
      { logger },
    );
    expect(on).toMatchObject({ state: 'completed', steps: 6, metrics: { samples: 6 } });
  }, 240_000);

  it('refuses before the training what the evaluation could not do', async () => {
    const directory = temporary('mistyped');
    const mode = await latentwire('train', ...settings(directory), '--eval-modes', 'latnet');
    expect(mode).toMatchObject({ code: 2, json: { error: { hint: 'did you mean latent?' } } });
    const bits = await latentwire('train', ...settings(directory), '--eval-bits', '12');
    expect(bits).toMatchObject({ code: 2, json: { error: { hint: 'for example --eval-bits 4' } } });
    expect(existsSync(directory)).toBe(false);
    const file = await latentwire(
      ...['train', ...settings(directory), '--dataset', 'boolq', '--train-file', 'nowhere.jsonl'],
    );
    expect(file).toMatchObject({
      code: 2,
      json: { error: { message: 'cannot read dataset file nowhere.jsonl (ENOENT)' } },
    });
  });

  it('names the run that is not there', async () => {
    const { code, json } = await latentwire('eval', '--save-dir', temporary('nothing'));
    expect(code).toBe(2);
    expect(json.error).toMatchObject({ code: 'input' });
  });
});

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const status = (run: string): unknown =>
  JSON.parse(readFileSync(path.join(run, 'status.json'), 'utf8')).state;

/** EM and F1 of every model and mode. */
function scores(json: Record<string, unknown>): unknown {
  const metrics = json.metrics as Record<string, Record<string, { em: number; f1: number }>>;
  return ['text', 'token_budget', 'no_context', 'latent', 'shuffled'].map((mode) =>
    Object.entries(metrics[mode]!).map(([name, { em, f1 }]) => [name, em, f1]),
  );
}
