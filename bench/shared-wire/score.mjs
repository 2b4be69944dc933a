/**
 * Scores trained arms of run.mjs, several scorings at once on every GPU: a single one leaves most of a GPU idle. Each works
 * in a copy of the run directory (weights as hard links). What is scored already is left; the best come first, so that a
 * limit of time costs the least.
 *
 *   node bench/shared-wire/score.mjs [--arms main] [--runs /tmp/shared-wire] [--gpus 0,1,2,3] [--per-gpu 4]
 *     [--questions 2000] [--minutes 2.6] [--device cuda] [--out $OUT]
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { scorings } from './arms.mjs';

const { values: o } = parseArgs({
  options: {
    arms: { type: 'string', default: 'main' },
    runs: { type: 'string', default: '/tmp/shared-wire' },
    gpus: { type: 'string', default: '0,1,2,3' },
    'per-gpu': { type: 'string', default: '4' },
    questions: { type: 'string', default: '2000' },
    minutes: { type: 'string', default: '2.6' },
    device: { type: 'string', default: 'cuda' },
    out: { type: 'string', default: process.env.OUT ?? '' },
  },
});
const LATENTWIRE = fileURLToPath(new URL('../../packages/latentwire/dist/cli/main.js', import.meta.url));
const results = path.join(o.runs, 'results');
const scratch = path.join(o.runs, 'scoring');
mkdirSync(results, { recursive: true });
rmSync(scratch, { recursive: true, force: true });

const wanted = o.arms
  .split(',')
  .flatMap((arm) => scorings[arm].map((scoring) => ({ arm, ...scoring })))
  .filter(({ arm, label }) => !existsSync(path.join(results, `${arm}.${label}.json`)));
const slots = o.gpus.split(',').flatMap((gpu) => Array.from({ length: Number(o['per-gpu']) }, () => gpu));
const end = Date.now() + Number(o.minutes) * 60_000;
const running = new Set();
// One after the other over the GPUs, so that few scorings spread over all of them.
const inTurn = slots.map(
  (_, i) =>
    slots[(i % o.gpus.split(',').length) * Number(o['per-gpu']) + Math.floor(i / o.gpus.split(',').length)],
);
const late = setTimeout(() => {
  console.log(`time is up: ${running.size} scorings are stopped`);
  for (const child of running) child.kill('SIGKILL');
}, end - Date.now());
await Promise.all(inTurn.map(work));
clearTimeout(late);
if (o.out !== '') {
  mkdirSync(o.out, { recursive: true });
  spawnSync('tar', ['czf', path.join(o.out, 'shared-wire.tgz'), '-C', o.runs, 'results']);
}

/** Scorings of one slot until there are no more, or no time. */
async function work(gpu) {
  while (wanted.length > 0 && Date.now() < end) {
    const scoring = wanted.shift();
    const began = Date.now();
    const state = (await score(scoring, gpu)) ? 'scored' : 'NOT scored';
    console.log(
      `${scoring.arm} ${scoring.label}: ${state}, ${((Date.now() - began) / 1000).toFixed(0)} s on GPU ${gpu}`,
    );
  }
}

async function score({ arm, label, expansion, modes, bits }, gpu) {
  const directory = path.join(scratch, label, arm);
  copyRun(path.join(o.runs, arm), directory);
  const log = openSync(path.join(results, `${arm}.${label}.log`), 'a');
  const child = spawn(
    process.execPath,
    [
      ...[LATENTWIRE, 'eval', '--save-dir', directory, '--device', o.device, '--no-monitor-gpu'],
      ...['--eval-samples', o.questions, '--eval-expansion', String(expansion), '--eval-modes', modes],
      ...(bits === undefined ? [] : ['--eval-bits', String(bits)]),
    ],
    {
      stdio: ['ignore', log, log],
      env: { ...process.env, OMP_NUM_THREADS: '2', ...(o.device !== 'cpu' && { CUDA_VISIBLE_DEVICES: gpu }) },
    },
  );
  running.add(child);
  const code = await new Promise((done) => child.once('exit', done));
  running.delete(child);
  if (code === 0) keep(directory, `${arm}.${label}`);
  rmSync(directory, { recursive: true, force: true });
  return code === 0;
}

function copyRun(from, to) {
  cpSync(from, to, {
    recursive: true,
    filter: (file, target) => {
      if (!file.endsWith('.safetensors')) return true;
      linkSync(file, target);
      return false;
    },
  });
}

/** Metrics, and predictions without what repeats. */
function keep(directory, name) {
  const rows = readFileSync(path.join(directory, 'predictions.jsonl'), 'utf8').trim().split('\n');
  const short = rows.map((row) => {
    const { id, context_id, mode, model, prediction, em, f1 } = JSON.parse(row);
    return JSON.stringify({ id, context_id, mode, model, prediction, em, f1 });
  });
  writeFileSync(path.join(results, `${name}.predictions.jsonl.gz`), gzipSync(short.join('\n')));
  copyFileSync(path.join(directory, 'logs/metrics.json'), path.join(results, `${name}.json`));
}
