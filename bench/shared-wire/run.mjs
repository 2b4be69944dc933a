/**
 * One wire for two frozen models of different families on SQuAD, and arms that differ from it. Arms run side by side on
 * the GPUs that are there, in sessions of their own: the script may be called again to wait for them, and a call that
 * finds an arm stopped goes on with it. Whatever is scored by then is packed.
 *
 *   node bench/shared-wire/run.mjs --set final --models smollm2=a.gguf,gemma3=b.gguf --train train.json.gz --dev dev.json.gz
 *     [--runs /tmp/shared-wire] [--out $OUT] [--wait 9.3] [--questions 1000] [--minutes-factor 1] [--device cuda]
 *     [--arms main,short] [--flags='--batch-size 8']
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { sets } from './arms.mjs';

const { values: o } = parseArgs({
  options: {
    set: { type: 'string', default: 'final' },
    arms: { type: 'string', default: '' },
    models: { type: 'string', default: '' },
    encoder: { type: 'string', default: 'smollm2' },
    train: { type: 'string', default: '' },
    dev: { type: 'string', default: '' },
    runs: { type: 'string', default: '/tmp/shared-wire' },
    out: { type: 'string', default: process.env.OUT ?? '' },
    wait: { type: 'string', default: '9.3' },
    questions: { type: 'string', default: '1000' },
    'minutes-factor': { type: 'string', default: '1' },
    device: { type: 'string', default: 'cuda' },
    flags: { type: 'string', default: '' },
    worker: { type: 'string' },
  },
});
const LATENTWIRE = fileURLToPath(new URL('../../packages/latentwire/dist/cli/main.js', import.meta.url));
const models = Object.fromEntries(o.models.split(',').map((pair) => pair.split('=')));
const wanted = o.arms === '' ? null : o.arms.split(',');
const arms = sets[o.set].filter(({ name }) => wanted === null || wanted.includes(name));
const results = path.join(o.runs, 'results');

/** GPUs that may be used. */
function gpus() {
  if (o.device === 'cpu') return ['0'];
  const visible = process.env.CUDA_VISIBLE_DEVICES;
  if (visible) return visible.split(',');
  const listed = spawnSync('nvidia-smi', ['--query-gpu=index', '--format=csv,noheader'], {
    encoding: 'utf8',
  });
  return listed.stdout.trim().split('\n');
}

async function supervise() {
  mkdirSync(results, { recursive: true });
  const devices = gpus();
  const began = Date.now();
  devices.forEach((device, slot) => {
    if (atWork(slot)) return;
    const log = openSync(path.join(o.runs, `worker-${slot}.log`), 'a');
    // A process group and session of its own: it outlives this call.
    const child = spawn(process.execPath, [...process.argv.slice(1), '--worker', String(slot)], {
      detached: true,
      stdio: ['ignore', log, log],
      env: {
        ...process.env,
        ...(o.device !== 'cpu' && { CUDA_VISIBLE_DEVICES: device }),
        SLOTS: String(devices.length),
      },
    });
    closeSync(log);
    writeFileSync(pidFile(slot), String(child.pid));
    child.unref();
  });
  const working = () => devices.filter((_, slot) => atWork(slot));
  while (working().length > 0 && Date.now() - began < Number(o.wait) * 60_000) {
    await new Promise((done) => setTimeout(done, 2000));
  }
  summary();
  pack();
  console.log(
    working().length === 0 ? 'all arms are done' : `still at work: ${working().length}; call again`,
  );
}

/** Arms of one GPU, one after the other. */
function work(slot) {
  const slots = Number(process.env.SLOTS ?? '1');
  for (const arm of arms.filter((a) => a.slot % slots === slot)) {
    const directory = path.join(o.runs, arm.name);
    const log = path.join(results, `${arm.name}.log`);
    const [first, ...others] = arm.evals;
    if (!done(arm, first)) {
      const trained = latentwire(log, [
        ...['train', ...arm.models.flatMap((name) => ['--model', models[name]])],
        ...['--encoder-id', models[o.encoder], '--train-file', o.train, '--dev-file', o.dev],
        ...['--save-dir', directory, '--device', o.device, '--auto-resume'],
        ...['--eval-samples', String(arm.questions ?? o.questions)],
        ...['--max-minutes', String(arm.minutes * Number(o['minutes-factor']))],
        ...['--eval-expansion', String(first.expansion), '--eval-modes', first.modes],
        ...[...arm.flags, ...o.flags.split(' ').filter(Boolean)],
      ]);
      if (!trained) continue;
      keep(arm, first, directory);
      const diagnostics = readFileSync(path.join(directory, 'logs/diagnostics.jsonl'));
      writeFileSync(path.join(results, `${arm.name}.diagnostics.jsonl.gz`), gzipSync(diagnostics));
    }
    for (const evaluation of others) {
      if (done(arm, evaluation)) continue;
      const scored = latentwire(log, [
        ...['eval', '--save-dir', directory, '--device', o.device, '--eval-samples', o.questions],
        ...['--eval-expansion', String(evaluation.expansion), '--eval-modes', evaluation.modes],
        ...(evaluation.bits === undefined ? [] : ['--eval-bits', String(evaluation.bits)]),
      ]);
      if (scored) keep(arm, evaluation, directory);
    }
  }
}

function latentwire(log, args) {
  appendFileSync(log, `\n$ latentwire ${args.join(' ')}\n`);
  const file = openSync(log, 'a');
  const { status } = spawnSync(process.execPath, [LATENTWIRE, ...args], { stdio: ['ignore', file, file] });
  closeSync(file);
  if (status !== 0) console.error(`latentwire ${args[0]} ended with ${status}: see ${log}`);
  return status === 0;
}

const metricsFile = (arm, { label }) => path.join(results, `${arm.name}.${label}.json`);
const done = (arm, evaluation) => existsSync(metricsFile(arm, evaluation));

/** Metrics and, without what repeats, predictions of the last scoring. */
function keep(arm, evaluation, directory) {
  const rows = readFileSync(path.join(directory, 'predictions.jsonl'), 'utf8').trim().split('\n');
  const short = rows.map((row) => {
    const { id, context_id, mode, model, prediction, em, f1 } = JSON.parse(row);
    return JSON.stringify({ id, context_id, mode, model, prediction, em, f1 });
  });
  const file = path.join(results, `${arm.name}.${evaluation.label}.predictions.jsonl.gz`);
  writeFileSync(file, gzipSync(short.join('\n')));
  copyFileSync(path.join(directory, 'logs/metrics.json'), metricsFile(arm, evaluation));
}

function summary() {
  for (const arm of arms) {
    const diagnostics = path.join(o.runs, arm.name, 'logs/diagnostics.jsonl');
    if (!existsSync(diagnostics) || statSync(diagnostics).size === 0) continue;
    console.log(`\n${arm.name}`);
    for (const line of stages(readFileSync(diagnostics, 'utf8'))) console.log(`  ${line}`);
    for (const evaluation of arm.evals.filter((e) => done(arm, e))) {
      const metrics = JSON.parse(readFileSync(metricsFile(arm, evaluation), 'utf8'));
      for (const mode of evaluation.modes.split(',')) {
        for (const [model, score] of Object.entries(metrics[mode] ?? {})) {
          const f1 = (100 * score.f1).toFixed(1);
          const bytes = score.bytes?.message?.toFixed(0);
          console.log(
            `  ${evaluation.label} ${mode} ${model}: F1 ${f1}, EM ${(100 * score.em).toFixed(1)}, ${bytes} bytes`,
          );
        }
      }
    }
  }
}

/** Median time and last losses for each stage and number of latents. */
function stages(text) {
  const groups = new Map();
  for (const line of text.trim().split('\n')) {
    const row = JSON.parse(line);
    const key = `${row.stage} M=${row.latents}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups].map(([key, rows]) => {
    const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
    const last = (name) => {
      const values = rows.slice(-60).flatMap((r) => (r[name] == null ? [] : [r[name]]));
      return values.length === 0
        ? ''
        : `, ${name} ${(values.reduce((a, b) => a + b, 0) / values.length).toFixed(3)}`;
    };
    const ms = (1000 * median(rows.map((r) => r.seconds))).toFixed(0);
    const tokens = median(rows.map((r) => r.tokens / r.seconds)).toFixed(0);
    const losses = ['alignment_loss', 'reconstruction_loss', 'answer_loss', 'first_token_loss']
      .map(last)
      .join('');
    return `${key}: ${rows.length} steps to ${rows.at(-1).step}, median ${ms} ms, ${tokens} tokens/s${losses}`;
  });
}

function pack() {
  if (o.out === '') return;
  mkdirSync(o.out, { recursive: true });
  for (const arm of arms) {
    const monitor = spawnSync('bash', ['-c', `cat ${o.runs}/${arm.name}/logs/gpu_monitor_*.jsonl | gzip`]);
    if (monitor.stdout.length > 100)
      writeFileSync(path.join(results, `${arm.name}.gpu.jsonl.gz`), monitor.stdout);
  }
  spawnSync('tar', ['czf', path.join(o.out, 'shared-wire.tgz'), '-C', o.runs, 'results']);
}

function pidFile(slot) {
  return path.join(o.runs, `worker-${slot}.pid`);
}

function atWork(slot) {
  const pid = existsSync(pidFile(slot)) ? Number(readFileSync(pidFile(slot), 'utf8')) : 0;
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

if (o.worker === undefined) await supervise();
else {
  work(Number(o.worker));
  // A process that nobody waits for may stay listed after its end: this says that it has ended.
  writeFileSync(pidFile(Number(o.worker)), '0');
}
