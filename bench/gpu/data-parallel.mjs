/**
 * One training on one GPU and on N, through `latentwire launch`: frozen reader and trained encoder of the SmolLM2-135M shape
 * (random weights), generated facts, 544 MB of gradients summed in every step.
 *   speed     samples per second: one GPU with a batch of B, N GPUs with B each (NCCL)
 *   equal     losses of N GPUs with B/4 each and of one with N × B/4, in fp32
 *   drill     N GPUs with deterministic kernels: SIGTERM, then kill -9 of rank 1, then to the end: bytes of an undisturbed
 *             one; seconds from the kill until every process has ended, and what status.json says
 * Results: bench/results/gpu/data-parallel.json, and a copy in $OUT with the logs of the runs. Dry run: --cpu --small.
 *
 *   node bench/gpu/data-parallel.mjs [--gpus 2] [--batch 64] [--steps 60] [--cpu] [--small] [--only speed,equal,drill]
 */
import { spawn } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readDiagnostics, readStatus } from '../../packages/latentwire/dist/telemetry/index.js';
import { compareRuns } from '../../packages/latentwire/dist/training/index.js';
import { median, save } from '../report.mjs';
import { bundled, modelFolder } from './model-folder.mjs';

const { values: o } = parseArgs({
  options: {
    gpus: { type: 'string', default: '2' },
    batch: { type: 'string', default: '64' },
    steps: { type: 'string', default: '60' },
    cpu: { type: 'boolean', default: false },
    small: { type: 'boolean', default: false },
    only: { type: 'string', default: 'speed,equal,drill' },
  },
});
const [N, B, STEPS] = [o.gpus, o.batch, o.steps].map(Number);
const wanted = new Set(o.only.split(','));
const main = fileURLToPath(new URL('../../packages/latentwire/bin/latentwire.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'data-parallel-'));
const model = o.small ? bundled : modelFolder(join(folder, 'smollm2-shape'));
const out = process.env.OUT;
// Multicast over NVLink needs more rights than many containers have.
const env = { NCCL_NVLS_ENABLE: '0', ...process.env };

/** Starts `processes` of them; `end` tells how it ended. */
function start(name, processes, batch, steps, more = []) {
  const launch = ['launch', o.cpu ? '--processes' : '--gpus', String(processes), 'train'];
  const models = ['--model', model, '--encoder-id', model, '--dataset', 'facts', '--facts-people', '4'];
  const size = ['--facts-each', '5', '--latent-len', '16', '--d-z', '64', '--pretrain-share', '0.3'];
  const length = ['--samples', String(4 * N * B), '--epochs', '1000', '--max-steps', String(steps)];
  const rest = ['--disable-kd', '--eval-samples', '16', '--eval-modes', 'latent', '--max-new-tokens', '4'];
  const place = ['--batch-size', String(batch), '--save-dir', join(folder, name), '--auto-resume'];
  const words = [main, ...launch, ...models, ...size, ...length, ...rest, ...place, ...more];
  const began = performance.now();
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'], env });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const end = new Promise((resolve) => {
    child.once('close', (code) => {
      if (code !== 0) console.log(stderr.split('\n').slice(-12).join('\n'));
      resolve({ code, seconds: (performance.now() - began) / 1000 });
    });
  });
  return { child, end };
}

const rows = (name) => readDiagnostics(join(folder, name, 'logs', 'diagnostics.jsonl'));
const status = (name) => readStatus(join(folder, name, 'status.json'));

/** Median of the later two thirds; the first steps are slow. */
function samplesPerSecond(name) {
  const all = rows(name);
  return median(all.slice(Math.floor(all.length / 3)).map((row) => row.samples / row.seconds));
}

async function reaches(name, count, { child }) {
  const file = join(folder, name, 'logs', 'diagnostics.jsonl');
  const done = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0);
  while (done() < count && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** @returns the process of a rank that works on the run */
function processOf(rank, name) {
  return Number(
    readdirSync('/proc').find((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        return words.includes(join(folder, name)) && variables.includes(`RANK=${rank}`);
      } catch {
        return false;
      }
    }),
  );
}

const result = { processes: N, batch: B, device: o.cpu ? 'cpu, gloo' : 'cuda, nccl', small: o.small };
const checks = {};
/** A dry run leaves what was measured as it is. */
const saved = o.cpu ? 'gpu/data-parallel-dry' : 'gpu/data-parallel';
/** Saved with each check: what is cut off leaves what it has. */
const check = (name, ok) => {
  checks[name] = ok;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}`);
  save(saved, { ...result, checks });
};

if (wanted.has('speed')) {
  const ends = [await start('one', 1, B, STEPS).end, await start('many', N, B, STEPS).end];
  const [one, many] = ['one', 'many'].map(samplesPerSecond);
  result.speed = { one, many, times: many / one, of_linear: many / one / N };
  check(
    'one and many complete',
    ends.every(({ code }) => code === 0),
  );
  console.log(JSON.stringify(result.speed));
}

if (wanted.has('equal')) {
  const exact = ['--dtype', 'float32'];
  const steps = Math.min(STEPS, 20);
  const part = Math.max(1, B >> 2);
  await start('whole-fp32', 1, N * part, steps, exact).end;
  await start('parts-fp32', N, part, steps, exact).end;
  const [whole, parts] = ['whole-fp32', 'parts-fp32'].map((name) => rows(name).map(({ loss }) => loss));
  const worst = Math.max(...whole.map((loss, i) => Math.abs(loss - parts[i]) / Math.abs(loss)));
  result.equal = { steps, largest_relative_difference: worst, whole: whole.at(-1), parts: parts.at(-1) };
  check(
    'losses of N GPUs are those of one with the whole batch, to 1e-3',
    parts.length === steps && worst < 1e-3,
  );
  console.log(JSON.stringify(result.equal));
}

if (wanted.has('drill')) {
  const exact = ['--deterministic', '--checkpoint-interval', '2'];
  await start('calm', N, B, STEPS, exact).end;
  const stopped = start('disturbed', N, B, STEPS, exact);
  await reaches('disturbed', Math.floor(STEPS / 4), stopped);
  stopped.child.kill('SIGTERM');
  const asked = performance.now();
  const { code } = await stopped.end;
  const preempted = status('disturbed');
  const secondsToStop = (performance.now() - asked) / 1000;
  check('SIGTERM: saved, state preempted', code === 0 && preempted.state === 'preempted');
  const bereft = start('disturbed', N, B, STEPS, exact);
  await reaches('disturbed', Math.floor(STEPS / 2), bereft);
  process.kill(processOf(1, 'disturbed'), 'SIGKILL');
  const killed = performance.now();
  const end = await bereft.end;
  const secondsToEnd = (performance.now() - killed) / 1000;
  const failed = status('disturbed');
  check(
    'kill -9 of rank 1: all end, state failed names it',
    end.code === 1 && failed.state === 'failed' && /rank 1/.test(failed.error.message),
  );
  const last = await start('disturbed', N, B, STEPS, exact).end;
  const verification = compareRuns(join(folder, 'calm'), join(folder, 'disturbed'));
  result.drill = {
    ...{ stopped_at: preempted.step, seconds_to_stop: secondsToStop, seconds_to_end: secondsToEnd },
    ...{ error: failed.error?.message, comparison: verification.checks },
  };
  check('bytes of the undisturbed training', last.code === 0 && verification.ok);
  console.log(JSON.stringify(result.drill));
}

if (out) {
  copyFileSync(new URL(`../results/${saved}.json`, import.meta.url), join(out, 'data-parallel.json'));
  for (const name of ['one', 'many', 'whole-fp32', 'parts-fp32', 'calm', 'disturbed']) {
    const logs = join(folder, name, 'logs');
    if (existsSync(logs))
      cpSync(logs, join(out, `data-parallel-${name}`), { recursive: true, dereference: true });
  }
}
rmSync(folder, { recursive: true, force: true });
process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1;
