/** Runs whose batch size is found, or whose steps are cut into micro-batches: real trainings on the bundled model. */
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TorchError } from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { type RunConfigInput, runConfigSchema } from '../src/config/index.js';
import type { LatentWireError } from '../src/errors.js';
import {
  type Logger,
  readDiagnostics,
  readMetrics,
  readStatus,
  silentLogger,
} from '../src/telemetry/index.js';
import { compareRuns, type StoppedReport, type TrainReport, train } from '../src/training/index.js';
import { temporaryFolder } from './support/temporary-folder.js';

const within = temporaryFolder();
const model = fileURLToPath(new URL('../assets/tiny-llama', import.meta.url));
const SAMPLES = 22;

async function run(
  name: string,
  training: RunConfigInput['training'],
  options: { readonly stopAtPoll?: number; readonly logger?: Logger } = {},
): Promise<TrainReport | StoppedReport> {
  let polls = 0;
  const config = runConfigSchema.parse({
    model: { ids: [model] },
    encoder: { id: model },
    data: { dataset: 'facts', samples: SAMPLES, token_cache_mb: 0 },
    wire: { latent_len: 2, d_z: 8 },
    adapter: { hidden: 8 },
    objective: { pretrain_share: 0.3, teacher_cache: within('teacher') },
    training: { epochs: 2, ...training },
    evaluation: { eval_samples: 4, eval_batch_size: 2, max_new_tokens: 3, eval_modes: ['latent'] },
    checkpoint: { interval: 0, auto_resume: true },
    system: { device: 'cpu' },
    run: { save_dir: within(name) },
  });
  return train(config, {
    logger: options.logger ?? silentLogger,
    stopNotice: () =>
      ++polls >= (options.stopAtPoll ?? Number.POSITIVE_INFINITY)
        ? { name: 'SIGTERM', monotonicMs: performance.now() }
        : undefined,
  });
}

const rows = (name: string) => readDiagnostics(within(name, 'logs', 'diagnostics.jsonl'));
const recordFile = (name: string): string => within(name, 'logs', 'batch_size.json');
const record = (name: string) => JSON.parse(fs.readFileSync(recordFile(name), 'utf8'));

describe('a batch size that is found', () => {
  it('trains to the byte as that size does when it is given, and is reported with its memory', async () => {
    await run('found', { batch_size: 'auto' });
    expect(record('found')).toMatchObject({ batch_size: SAMPLES, limited_by: 'most' });
    await run('given', { batch_size: SAMPLES });
    const [diagnostics, tensors, predictions] = compareRuns(within('given'), within('found')).checks;
    expect([diagnostics?.ok, tensors?.ok, predictions?.ok]).toEqual([true, true, true]);
    expect(readMetrics(within('found', 'logs', 'metrics.json'))?.batch).toMatchObject({
      batch_size: SAMPLES,
      predicted_bytes: expect.any(Number),
      measured_bytes: expect.any(Number),
      training_bytes: expect.any(Number),
      capacity_bytes: expect.any(Number),
    });
    expect(readMetrics(within('given', 'logs', 'metrics.json'))).not.toHaveProperty('batch');
  }, 60_000);

  it('is kept by attempts that follow, without another search: from the checkpoint, before one from the record', async () => {
    fs.cpSync(within('found'), within('kept'), { recursive: true });
    fs.rmSync(within('kept', 'preempt_checkpoint'), { recursive: true });
    // Not what a search would find: it can only have been read.
    fs.writeFileSync(recordFile('kept'), JSON.stringify({ ...record('kept'), batch_size: 5 }));
    const report = await run('kept', { batch_size: 'auto' }, { stopAtPoll: 12 });
    expect(report).toMatchObject({ state: 'preempted' });
    expect(report.steps).toBeGreaterThan(0);
    fs.writeFileSync(recordFile('kept'), JSON.stringify({ ...record('kept'), batch_size: 7 }));
    expect(await run('kept', { batch_size: 'auto' })).toMatchObject({ state: 'completed', steps: 10 });
    const samples = rows('kept').map((row) => row.samples!);
    // Epochs of 22; which of their batches is the short one is drawn.
    for (const epoch of [samples.slice(0, 5), samples.slice(5)]) {
      expect(epoch.sort((a, b) => a - b)).toEqual([2, 5, 5, 5, 5]);
    }
  }, 60_000);

  it('is looked for again when that was interrupted', async () => {
    for (let poll = 8; ; poll++) {
      const report = await run('interrupted', { batch_size: 'auto' }, { stopAtPoll: poll });
      if (fs.existsSync(recordFile('interrupted'))) break;
      expect(report).toMatchObject({ state: 'preempted', steps: 0 });
      expect(readStatus(within('interrupted', 'status.json'))).toMatchObject({ state: 'preempted' });
      poll += 4;
    }
    await run('interrupted', { batch_size: 'auto' });
    expect(compareRuns(within('found'), within('interrupted')).ok).toBe(true);
  }, 60_000);
});

describe('a training that runs out of memory', () => {
  it('ends as oom, with what to change in status and error', async () => {
    const logger = {
      ...silentLogger,
      info: (message: string): void => {
        // As it would come out of the first step.
        if (message === 'training') throw new TorchError('CUDA out of memory. Tried to allocate 2.00 GiB');
      },
    };
    const failure = await run('oom', { batch_size: 8 }, { logger }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'oom', exitCode: 1, message: expect.stringContaining('2.00 GiB') });
    const { hint } = failure as LatentWireError;
    expect(hint).toContain('lower --batch_size and raise --grad_accum');
    const status = readStatus(within('oom', 'status.json'));
    expect(status).toMatchObject({ state: 'oom', step: 0, error: { code: 'oom', hint } });
    // Nothing of it stands in the way of the next attempt.
    expect(await run('oom', { batch_size: 8 })).toMatchObject({ state: 'completed' });
  }, 60_000);
});

describe('an effective batch', () => {
  it('makes the same steps of any micro-batch, to rounding, to the end of the schedule', async () => {
    await run('whole', { batch_size: 8, effective_batch: 8 });
    await run('parts', { batch_size: 3, effective_batch: 8 });
    await run('larger', { batch_size: 64, effective_batch: 8 });
    const [whole, parts] = [rows('whole'), rows('parts')];
    // 22 examples: two full steps and one of the six that are left, in each epoch.
    expect(whole.map(({ samples }) => samples).sort()).toEqual([6, 6, 8, 8, 8, 8]);
    for (const [i, row] of whole.entries()) {
      const other = parts[i]!;
      expect(other).toMatchObject({ step: row.step, samples: row.samples, lr: row.lr, stage: row.stage });
      expect(other.loss).toBeCloseTo(row.loss!, 4);
      expect(other.grad_norm! / row.grad_norm!).toBeCloseTo(1, 3);
    }
    expect(whole.at(-1)!.lr).toBeLessThan(0.2 * Math.max(...whole.map(({ lr }) => lr!)));
    expect(compareRuns(within('whole'), within('larger')).checks.every(({ ok }) => ok)).toBe(true);
  }, 60_000);
});
