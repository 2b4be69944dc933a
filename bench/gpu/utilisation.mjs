/**
 * How busy the GPU is in a real run: `latentwire train` of one wire for real GGUF models on SQuAD from disk, with monitor,
 * logs, TensorBoard files and a checkpoint every 20 seconds; then the run's own record (`latentwire gpu`): utilisation over
 * the training window as NVML tells it once a second, and the share of the time that steps waited for data. Set as the
 * trainings of bench/shared-wire: questions on one text together, texts cut at 320 tokens, no digests of the weights in
 * diagnostics (each copies them to the host). A batch that does not fit is told, and a smaller one is tried; `auto` finds
 * one itself.
 *
 *   MODELS="smollm2.gguf gemma.gguf" ENCODER=smollm2.gguf TRAIN=train-v1.1.json.gz DEV=dev-v1.1.json.gz \
 *     node bench/gpu/utilisation.mjs [--seconds 90] [--batch 128|auto] [--workers 4] [--device cuda] [-- more flags of train]
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readStatus } from '../../packages/latentwire/dist/telemetry/index.js';
import { save } from '../report.mjs';

const { values: o, positionals } = parseArgs({
  options: {
    seconds: { type: 'string', default: '90' },
    batch: { type: 'string', default: '128' },
    workers: { type: 'string', default: '4' },
    device: { type: 'string', default: 'cuda' },
    run: { type: 'string', default: '/tmp/latentwire-utilisation' },
    name: { type: 'string', default: 'gpu/utilisation' },
  },
  allowPositionals: true,
});
const { MODELS, ENCODER, TRAIN, DEV } = process.env;
for (const [name, value] of Object.entries({ MODELS, ENCODER, TRAIN, DEV })) {
  if (value === undefined)
    throw new Error(`expected ${name} in the environment, got nothing: see the head of this file`);
}
/** Batches that did not fit. */
const tooLarge = [];
const cli = fileURLToPath(new URL('../../packages/latentwire/dist/cli/main.js', import.meta.url));
const latentwire = (...args) =>
  spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** @returns folder and seconds of the whole run; null: out of memory */
function train(batch) {
  const folder = join(o.run, `${batch}-${Date.now()}`);
  const started = performance.now();
  const { status } = latentwire(
    'train',
    ...MODELS.split(/\s+/).flatMap((model) => ['--model', model]),
    ...['--encoder-id', ENCODER, '--dataset', 'squad', '--train-file', TRAIN, '--dev-file', DEV],
    ...['--samples', '87599', '--epochs', '50', '--max-minutes', String(Number(o.seconds) / 60)],
    ...['--questions-together', '--encoder-max-tokens', '320', '--digest-every', '0'],
    ...['--batch-size', String(batch), '--num-workers', o.workers, '--latent-len', '32', '--d-z', '256'],
    ...['--reading-tokens', '64', '--max-answer-tokens', '24', '--disable-kd', '--checkpoint-interval', '20'],
    ...['--eval-samples', '64', '--eval-modes', 'latent', '--device', o.device, '--save-dir', folder],
    ...positionals,
  );
  if (status === 0) return { folder, wall: (performance.now() - started) / 1000 };
  const { state, error } = readStatus(join(folder, 'status.json'));
  if (state !== 'oom') throw new Error(`train ended with ${status}, ${state}: ${error?.message}`);
  return null;
}

let batch = o.batch === 'auto' ? 'auto' : Number(o.batch);
let run = train(batch);
while (run === null && batch !== 'auto' && batch > 8) {
  tooLarge.push(batch);
  batch = Math.floor(batch * 0.75);
  run = train(batch);
}
if (run === null) throw new Error('expected a batch that fits, and none did');
const { folder, wall } = run;
const found =
  batch === 'auto' ? JSON.parse(readFileSync(join(folder, 'logs/batch_size.json'), 'utf8')) : null;

const report = latentwire('gpu', folder, '--json');
console.log(report.stdout);
const { gpus, stages } = JSON.parse(report.stdout);
const lines = readFileSync(join(folder, 'logs/diagnostics.jsonl'), 'utf8').trim().split('\n');
const steps = lines.map((line) => JSON.parse(line));
const seconds = steps.map((step) => step.seconds).toSorted((a, b) => a - b);
const window = (Date.parse(steps.at(-1).time) - Date.parse(steps[0].time)) / 1000;
const log = readFileSync(join(folder, 'logs/latest.log'), 'utf8');
const result = {
  device: o.device,
  batch: found?.batch_size ?? batch,
  found: found && { ...found, measurements: undefined, identity: undefined },
  too_large: tooLarge,
  flags: positionals,
  workers: Number(o.workers),
  /** NVML tells of every GPU of the machine; this one trained. */
  own_gpu: Number(process.env.CUDA_VISIBLE_DEVICES ?? 0),
  gpus,
  steps: steps.length,
  samples_per_s: +(steps.reduce((sum, step) => sum + step.samples, 0) / window).toFixed(1),
  window_s: +window.toFixed(1),
  /** Training window that is not inside a step: logs, diagnostics, lock, saves. */
  outside_steps: +(1 - steps.slice(1).reduce((sum, step) => sum + step.seconds, 0) / window).toFixed(4),
  step_ms: { median: ms(seconds, 0.5), p90: ms(seconds, 0.9), p99: ms(seconds, 0.99) },
  stages,
  /** From the start of the threads that compose, and within the window: what came after the first batch. */
  data_wait: logged('data_wait'),
  data_wait_in_window: +(
    (logged('data_wait') * logged('seconds') - logged('first_batch_seconds')) /
    window
  ).toFixed(5),
  steps_by_way: Object.fromEntries(
    [...(log.match(/captured steps .*/)?.[0] ?? '').matchAll(/(\w+)=(\d+)/g)].map(([, way, n]) => [
      way,
      Number(n),
    ]),
  ),
  saves: (log.match(/saved checkpoint/g) ?? []).length,
  wall_s: +wall.toFixed(1),
};
console.log(JSON.stringify(result, null, 2));
save(o.name, result);

/** A number of the line that tells of the end of the training. */
function logged(name) {
  return Number(log.match(new RegExp(`trained step=.*?${name}=([\\d.e-]+)`))?.[1]);
}

function ms(sorted, part) {
  return +(1000 * sorted[Math.floor(part * (sorted.length - 1))]).toFixed(2);
}
