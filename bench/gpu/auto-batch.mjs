/**
 * `--batch_size auto` on a device: a real training (frozen reader and trained encoder of the SmolLM2-135M shape, random weights,
 * generated facts) that
 *   found     looks for its batch size, is killed with -9 before its first checkpoint, goes on, is stopped by SIGTERM, goes
 *             on from its checkpoint: the same size throughout; predicted against measured peak, share of the device
 *   limited   does so where torch may only have --limit of the memory and the search does not know: it must run out, back
 *             off and train all the same
 *   oom       has a batch that does not fit: state `oom` with the fix, exit code 1
 *   checkpointing  looks for its size with --gradient_checkpointing and a fifth of the memory
 *   pinned    copies batches out of pinned memory: the same losses
 * Results: bench/results/gpu/auto-batch.json, and a copy in $OUT. Dry run on any machine: --device cpu --small.
 *
 *   node bench/gpu/auto-batch.mjs [--device cuda] [--small] [--limit 0.35] [--only found,limited,…]
 */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as t from '@latentwire/torch';
import { runConfigSchema } from '../../packages/latentwire/dist/config/index.js';
import { createLogger, readDiagnostics, readStatus } from '../../packages/latentwire/dist/telemetry/index.js';
import { train } from '../../packages/latentwire/dist/training/index.js';
import { save } from '../report.mjs';
import { bundled, modelFolder } from './model-folder.mjs';

const { values: o } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    small: { type: 'boolean', default: false },
    limit: { type: 'string', default: '0.35' },
    samples: { type: 'string', default: '' },
    only: { type: 'string', default: 'found,limited,oom,checkpointing,pinned' },
    attempt: { type: 'string' },
    memory: { type: 'string' },
  },
});

/** One attempt at a training, in a process of its own. */
async function attempt(file, memory) {
  const config = runConfigSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  if (memory !== undefined) t.limitMemory(o.device, Number(memory));
  try {
    const report = await train(config, { logger: createLogger({ level: 'debug' }) });
    console.log(JSON.stringify({ state: report.state }));
  } catch (error) {
    console.error(`error: ${error.message}\nhint: ${error.hint}`);
    process.exitCode = error.exitCode ?? 1;
  }
}

async function main() {
  const cuda = o.device !== 'cpu';
  const folder = mkdtempSync(join(tmpdir(), 'auto-batch-'));
  const model = o.small ? bundled : modelFolder(join(folder, 'smollm2-shape'));
  const wanted = new Set(o.only.split(','));
  const result = { device: o.device, small: o.small };
  const checks = {};
  /** Saved with each check: what is cut off leaves what it has. */
  const check = (name, ok) => {
    checks[name] = ok;
    console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}`);
    if (!cuda) return;
    save('gpu/auto-batch', { ...result, checks });
    const file = fileURLToPath(new URL('../results/gpu/auto-batch.json', import.meta.url));
    if (process.env.OUT) copyFileSync(file, join(process.env.OUT, 'auto-batch.json'));
  };
  const run = (name, training = {}, system = {}) =>
    new TestRun(join(folder, name), settings({ model, folder: join(folder, name), training, system }));

  if (wanted.has('found')) {
    const it = run('found', { batch_size: 'auto' });
    const killed = await it.start({ signal: 'SIGKILL', afterSteps: 1 });
    const first = it.record();
    const stopped = await it.start({ signal: 'SIGTERM', afterSteps: 2 });
    const state = readStatus(join(it.folder, 'status.json')).state;
    const done = await it.start();
    const { batch } = it.metrics();
    const sizes = [...new Set(it.samples())];
    const of = (bytes) => round(bytes / batch.capacity_bytes);
    result.found = {
      ...report(batch),
      predicted_over_measured: batch.predicted_bytes && round(batch.predicted_bytes / batch.measured_bytes),
      share_measured: of(batch.measured_bytes),
      /** Of the last attempt, a process that made no trial. */
      share_training: of(batch.training_bytes),
      predicted_over_training: batch.predicted_bytes && round(batch.predicted_bytes / batch.training_bytes),
      seconds: [killed, stopped, done].map(({ seconds }) => seconds),
    };
    check(
      'killed, stopped, completed',
      killed.signal === 'SIGKILL' && state === 'preempted' && done.code === 0,
    );
    check(
      'one batch size over all attempts',
      first.batch_size === batch.batch_size && Math.max(...sizes) === first.batch_size,
    );
    if (cuda) {
      check('predicted within 5 % of measured', Math.abs(result.found.predicted_over_measured - 1) < 0.05);
      check('lands at 78 to 82 % of the device', Math.abs(result.found.share_measured - 0.8) <= 0.02);
    }
  }

  if (wanted.has('limited') && cuda) {
    const it = run('limited', { batch_size: 'auto' });
    const { code, seconds } = await it.start({ memory: o.limit });
    const { batch } = it.metrics();
    const failures = batch.measurements.filter(({ bytes }) => bytes === null).length;
    result.limited = { limit: Number(o.limit), ...report(batch), failures, seconds };
    result.limited.share_measured = round(batch.measured_bytes / batch.capacity_bytes);
    check('a forced lack of memory was met, and the run completed', failures > 0 && code === 0);
  }

  if (wanted.has('oom') && cuda) {
    const it = run('oom', { batch_size: o.small ? 64 : 512 }, { disable_graphs: true });
    const { code } = await it.start({ memory: o.small ? '0.002' : '0.08' });
    const { state, error } = readStatus(join(it.folder, 'status.json'));
    result.oom = { state, hint: error?.hint, code };
    check(
      'a batch that does not fit ends as oom with the fix',
      state === 'oom' && code === 1 && /batch_size/.test(error.hint),
    );
  }

  if (wanted.has('checkpointing')) {
    const it = run('checkpointing', {
      ...{ batch_size: 'auto', gradient_checkpointing: true, target_memory: cuda ? 0.2 : 0.8, max_steps: 3 },
    });
    const { code, seconds } = await it.start();
    const { batch } = it.metrics();
    result.checkpointing = { ...report(batch), seconds };
    check('trains with layers computed again', code === 0);
  }

  if (wanted.has('pinned')) {
    const losses = [];
    for (const pin_memory of [false, true]) {
      const it = run(
        `pinned-${pin_memory}`,
        { batch_size: 16, max_steps: 4, pin_memory },
        { disable_graphs: true },
      );
      const { code } = await it.start();
      losses.push(code === 0 ? it.rows().map(({ loss }) => loss) : null);
    }
    result.pinned = { losses };
    check(
      'pinned memory changes no loss',
      losses[0] !== null && JSON.stringify(losses[0]) === JSON.stringify(losses[1]),
    );
  }

  console.log(JSON.stringify({ ...result, checks }, null, 1));
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1;
}

/** A run directory and the processes that work on it. */
class TestRun {
  constructor(folder, config) {
    this.folder = folder;
    this.file = `${folder}.json`;
    writeFileSync(this.file, JSON.stringify(config));
  }
  rows = () => readDiagnostics(join(this.folder, 'logs/diagnostics.jsonl'));
  samples = () => this.rows().map(({ samples }) => samples);
  record = () => json(join(this.folder, 'logs/batch_size.json'));
  metrics = () => json(join(this.folder, 'logs/metrics.json'));

  /** Starts an attempt; a signal is sent when it has written so many rows of steps. */
  async start({ signal, afterSteps = 0, memory } = {}) {
    const script = fileURLToPath(import.meta.url);
    const args = [
      script,
      '--attempt',
      this.file,
      '--device',
      o.device,
      ...(memory ? ['--memory', memory] : []),
    ];
    const started = performance.now();
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    const before = this.#lines();
    const timer = setInterval(() => {
      if (signal !== undefined && this.#lines() >= before + afterSteps) {
        clearInterval(timer);
        child.kill(signal);
      }
    }, 20);
    const [code, by] = await new Promise((resolve) => child.on('exit', (...end) => resolve(end)));
    clearInterval(timer);
    return { code, signal: by, seconds: round((performance.now() - started) / 1000) };
  }

  #lines() {
    const file = join(this.folder, 'logs/diagnostics.jsonl');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  }
}

function settings({ model, folder, training, system }) {
  const samples = Number(o.samples || (o.small ? 96 : 8000));
  return {
    model: { ids: [model] },
    encoder: { id: model },
    data: { dataset: 'facts', samples, token_cache_mb: 0 },
    facts: o.small ? {} : { people: 4, each: 5 },
    wire: { latent_len: 16, d_z: 64 },
    objective: { disable_kd: true, pretrain_share: 0.4 },
    training: { epochs: o.small ? 12 : 4, max_steps: o.small ? 30 : 16, ...training },
    evaluation: { eval_samples: 32, eval_batch_size: 32, max_new_tokens: 4, eval_modes: ['text', 'latent'] },
    checkpoint: { interval: 0, auto_resume: true, digest_every: 0 },
    system: { device: o.device, monitor_gpu: false, ...system },
    run: { save_dir: folder },
  };
}

function report({ seconds, ...found }) {
  return { ...found, search_seconds: seconds };
}

function json(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function round(x) {
  return Math.round(x * 1000) / 1000;
}

if (o.attempt !== undefined) await attempt(o.attempt, o.memory);
else await main();
