/**
 * Benchmarks of this folder, each on a GPU of its own as long as there are any: a free GPU takes the next part. What a part
 * prints goes to OUT/PART.log, its result to bench/results/gpu and to OUT. A part that fails or runs too long is told, and
 * the others go on. Times on several GPUs of one host at once: fine for GPU work, not for `load` beside other disk work.
 *
 *   [MODELS=… ENCODER=… TRAIN=… DEV=…] OUT=dir node bench/gpu/all.mjs [--parts a,b] [--peer python3] [--limit 540]
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const generation = (model, ...more) => [
  'generate.mjs',
  '--models',
  model,
  '--name',
  `gpu/generate-${model}`,
  ...more,
];
const compiled = (model) => [
  ...['generate.mjs', '--models', model, '--name', `gpu/generate-static-${model}`, '--peer-modes', 'static'],
  ...['--ways', 'capture', '--prompts', '35', '--batches', '64'],
];
/** Longest first. */
const PARTS = {
  'generate-llama-8b': generation('llama-8b', '--peer-modes', 'dynamic', '--runs', '3'),
  utilisation: ['utilisation.mjs'],
  'generate-smollm2-135m': generation('smollm2-135m', '--peer-modes', 'dynamic'),
  'two-readers': ['two-readers.mjs'],
  load: ['load.mjs'],
  'generate-static-smollm2-135m': compiled('smollm2-135m'),
  'generate-static-llama-8b': compiled('llama-8b'),
};

const { values: o } = parseArgs({
  options: {
    parts: { type: 'string', default: Object.keys(PARTS).join(',') },
    peer: { type: 'string', default: 'python3' },
    limit: { type: 'string', default: '540' },
  },
});
const out = process.env.OUT ?? '/tmp/latentwire-gpu';
mkdirSync(out, { recursive: true });
const folder = fileURLToPath(new URL('.', import.meta.url));
const gpus = (spawnSync('nvidia-smi', ['-L'], { encoding: 'utf8' }).stdout ?? '')
  .trim()
  .split('\n')
  .filter(Boolean).length;
const waiting = o.parts
  .split(',')
  .filter((part) => part !== 'utilisation' || process.env.MODELS !== undefined);
const ends = Date.now() + 1000 * Number(o.limit);

async function work(gpu) {
  for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    const started = Date.now();
    const [script, ...args] = PARTS[part];
    if (script === 'generate.mjs') args.push('--peer', o.peer);
    const log = createWriteStream(join(out, `${part}.log`));
    const child = spawn(process.execPath, [join(folder, script), ...args], {
      env: { ...process.env, CUDA_VISIBLE_DEVICES: String(gpu) },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that a peer does not outlive its part.
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), Math.max(1000, ends - started));
    const code = await new Promise((done) => child.on('close', (status, signal) => done(signal ?? status)));
    clearTimeout(timer);
    log.end();
    const result = fileURLToPath(new URL(`../results/gpu/${part}.json`, import.meta.url));
    if (existsSync(result)) copyFileSync(result, join(out, `${part}.json`));
    console.log(
      `${part}: ${code === 0 ? 'done' : `ended with ${code}`} on GPU ${gpu}, ${Math.round((Date.now() - started) / 1000)} s`,
    );
  }
}

await Promise.all(Array.from({ length: Math.max(1, gpus) }, (_, gpu) => work(gpu)));
