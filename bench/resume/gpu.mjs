/**
 * The proofs of this folder on a GPU: kill matrix in deterministic mode, save speed and signal → durable, overhead, and
 * the price of deterministic mode. Needs no network. Dry run on any machine: --device cpu --small.
 *
 *   node bench/resume/gpu.mjs [--device cuda] [--small] [--interruptions 12] [--parallel 3] [--peer]
 *   node bench/resume/gpu.mjs --only price --model model.gguf     the price of deterministic mode with another model
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runConfigSchema } from '../../packages/latentwire/dist/config/index.js';
import { readDiagnostics } from '../../packages/latentwire/dist/telemetry/index.js';
import { median, save } from '../report.mjs';

const { values: options } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    small: { type: 'boolean', default: false },
    interruptions: { type: 'string', default: '12' },
    parallel: { type: 'string', default: '1' },
    peer: { type: 'boolean', default: false },
    only: { type: 'string', default: 'matrix,speed,overhead,price' },
    model: { type: 'string', default: 'bundled:tiny-llama' },
  },
});
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const run = (script, ...args) => {
  console.log(`\n== ${script} ${args.join(' ')}`);
  const { status } = spawnSync(process.execPath, [here(script), ...args], { stdio: 'inherit' });
  return status === 0;
};

const device = ['--device', options.device];
const suffix = options.device.startsWith('cuda') ? 'gpu' : 'dry';
const wanted = new Set(options.only.split(','));
const result = { device: options.device };
if (wanted.has('matrix')) {
  const interruptions = options.small ? '1' : options.interruptions;
  const size = ['--interruptions', interruptions, '--parallel', options.parallel];
  result.matrix = run('kill-matrix.mjs', ...device, ...size, '--name', `kill-matrix-${suffix}`);
}
if (wanted.has('speed')) {
  const size = options.small ? ['--rounds', '1', '--signals', '2'] : ['--rounds', '7', '--signals', '40'];
  const peer = options.peer ? [] : ['--no-peer'];
  result.speed = run('save-speed.mjs', ...device, ...size, ...peer, '--name', `checkpoint-speed-${suffix}`);
}
if (wanted.has('overhead')) {
  const steps = ['--steps', options.small ? '8' : '400'];
  result.overhead = run('overhead.mjs', ...device, ...steps, '--name', `run-system-overhead-${suffix}`);
}
if (wanted.has('price')) Object.assign(result, priceOfDeterminism());
save(options.model.startsWith('bundled:') ? `resume-${suffix}` : `deterministic-price-${suffix}`, result);

/** Median step time of the same training with and without deterministic kernels, in turns. */
function stepSeconds(deterministic, index) {
  const folder = mkdtempSync(join(tmpdir(), 'deterministic-'));
  const config = runConfigSchema.parse({
    model: { ids: [options.model] },
    encoder: { id: options.model },
    data: { dataset: 'facts', samples: 2000 },
    wire: { latent_len: 8, d_z: 64 },
    objective: { disable_kd: true },
    training: { batch_size: options.small ? 4 : 64, max_steps: options.small ? 4 : 120, epochs: 50 },
    evaluation: { eval_samples: 2, max_new_tokens: 2, eval_modes: ['no_context'] },
    system: { device: options.device, deterministic },
    run: { save_dir: join(folder, 'run'), seed: index },
  });
  const file = join(folder, 'config.json');
  writeFileSync(file, JSON.stringify(config));
  const { status } = spawnSync(process.execPath, [here('attempt.mjs'), file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) return Number.NaN;
  const rows = readDiagnostics(join(folder, 'run', 'logs', 'diagnostics.jsonl'));
  rmSync(folder, { recursive: true, force: true });
  return median(rows.slice(Math.floor(rows.length / 3)).map(({ seconds }) => seconds));
}

function priceOfDeterminism() {
  const pairs = Array.from({ length: options.small ? 1 : 3 }, (_, i) => [
    stepSeconds(false, i),
    stepSeconds(true, i),
  ]);
  const price = median(pairs.map(([free, bound]) => bound / free - 1));
  console.log(`deterministic mode costs ${(100 * price).toFixed(1)} % of a step`, pairs);
  return { model: options.model.split('/').at(-1), deterministic_price: price, step_seconds: pairs };
}
