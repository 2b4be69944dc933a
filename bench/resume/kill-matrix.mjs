/**
 * Interrupts trainings at random points in every way there is, up to five times each, lets them go on, and compares
 * weights, optimiser, predictions and the loss column with a run that was left alone: all of them to the byte.
 *
 *   node bench/resume/kill-matrix.mjs [--interruptions 200] [--parallel 1] [--seed 1] [--device cpu] [--minutes M]
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { random } from '@latentwire/torch';
import { save } from '../report.mjs';
import { checkpointFiles, fingerprint } from './twin.mjs';

const { values: options } = parseArgs({
  options: {
    interruptions: { type: 'string', default: '200' },
    parallel: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    device: { type: 'string', default: 'cpu' },
    minutes: { type: 'string', default: '600' },
    name: { type: 'string', default: 'kill-matrix' },
  },
});
const wanted = Number(options.interruptions);
const deadline = Date.now() + Number(options.minutes) * 60_000;
const STEPS = 10;
const model = fileURLToPath(new URL('../../packages/latentwire/assets/tiny-llama', import.meta.url));
const attemptScript = fileURLToPath(new URL('attempt.mjs', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'kill-matrix-'));
const draw = new random.RandomRoot(Number(options.seed)).stream('kill-matrix').cursor();

const settings = (name) => ({
  model: { ids: [model] },
  encoder: { id: model },
  data: { dataset: 'facts', samples: 32, token_cache_mb: 0 },
  wire: { latent_len: 2, d_z: 8 },
  adapter: { hidden: 16 },
  // Distillation is on; its cache starts empty in every run, so that it can be interrupted too.
  objective: { pretrain_share: 0.3, teacher_cache: join(root, `teacher-${name}`) },
  training: { batch_size: 2, grad_accum: 3, max_steps: STEPS, epochs: 5, num_workers: 1 },
  evaluation: {
    eval_samples: 6,
    eval_batch_size: 2,
    max_new_tokens: 4,
    eval_modes: ['latent', 'no_context'],
  },
  checkpoint: { interval: 0.001, auto_resume: true, digest_every: 2 },
  system: { device: options.device, deterministic: options.device !== 'cpu' },
  run: { save_dir: join(root, name) },
});

/** The ways to interrupt; each has its own idea of when. */
const KINDS = [
  { name: 'SIGTERM between steps', line: /^step |saved checkpoint/, signals: ['SIGTERM'] },
  { name: 'SIGKILL at any time', delay: 6000, signals: ['SIGKILL'] },
  { name: 'SIGTERM twice', line: /^step |saved checkpoint|training steps/, signals: ['SIGTERM', 'SIGTERM'] },
  { name: 'SIGINT twice', line: /saved checkpoint/, signals: ['SIGINT', 'SIGINT'] },
  { name: 'SIGTERM inside save', plan: () => ({ save: draw.nextInteger(4), signal: 'SIGTERM' }) },
  {
    name: 'SIGKILL at a system call of a save',
    plan: () => ({ save: draw.nextInteger(4), fault: { at: draw.nextInteger(13), kind: 'kill' } }),
  },
  {
    name: 'SIGKILL after a system call of a save',
    plan: () => ({ save: draw.nextInteger(4), fault: { at: draw.nextInteger(13), kind: 'kill-after' } }),
  },
  { name: 'SIGTERM inside load', line: /loaded model/, signals: ['SIGTERM'] },
  { name: 'SIGKILL inside load', line: /loaded model|tokenised train/, signals: ['SIGKILL'] },
  { name: 'SIGUSR1 during resume', line: /going on|tokenised train/, signals: ['SIGUSR1'] },
  { name: 'SIGKILL during resume', line: /going on/, signals: ['SIGKILL'] },
  {
    name: 'SIGTERM inside evaluation',
    line: /tokenised dev|going on with the evaluation/,
    signals: ['SIGTERM'],
  },
  {
    name: 'SIGKILL inside evaluation',
    line: /tokenised dev|going on with the evaluation/,
    signals: ['SIGKILL'],
  },
];

/** One attempt; resolves when it has ended. `hit`: the interruption took place. */
function attempt(config, kind) {
  const plan = kind?.plan?.();
  const child = spawn(process.execPath, [attemptScript, config, JSON.stringify(plan ?? {})], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OMP_NUM_THREADS: '1' },
  });
  let hit = false;
  const lines = [];
  // After a random number of matching lines and a little more, so that it can be anywhere in what follows.
  let matches = kind?.line
    ? 1 + draw.nextInteger(/step/.test(String(kind.line)) ? 6 : 2)
    : Number.POSITIVE_INFINITY;
  const strike = async () => {
    for (const signal of kind.signals) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      hit = true;
      child.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, draw.nextInteger(30)));
    }
  };
  if (kind?.delay) setTimeout(strike, 200 + draw.nextInteger(kind.delay)).unref();
  const reader = createInterface({ input: child.stderr });
  reader.on('line', (line) => {
    lines.push(line);
    if (kind?.line?.test(line.replace(/^\S+ \w+ +/, '')) && --matches === 0) {
      setTimeout(strike, draw.nextInteger(60));
    }
  });
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      const report = stdout === '' ? undefined : JSON.parse(stdout);
      const planned = plan !== undefined && (signal === 'SIGKILL' || report?.state === 'preempted');
      resolve({ code, signal, report, lines, hit: hit || planned });
    });
  });
}

const counts = {};
const tally = {
  interruptions: 0,
  runs: 0,
  identical: 0,
  attempts: 0,
  most_in_one_run: 0,
  killed_inside_save: 0,
};
let mostFiles = 0;
const failures = [];
let everyStepOnce = true;

function writeConfig(name) {
  const file = join(root, `${name}.json`);
  writeFileSync(file, JSON.stringify(settings(name)));
  return file;
}

async function oneRun(index, expected) {
  const name = `run-${index}`;
  const config = writeConfig(name);
  const goal = 1 + draw.nextInteger(5);
  let interruptions = 0;
  let saved = false;
  const history = [];
  for (let tries = 0; tries < 40; tries++) {
    const kind = interruptions < goal && tries < 30 ? KINDS[draw.nextInteger(KINDS.length)] : undefined;
    const { code, signal, report, lines, hit } = await attempt(config, kind);
    tally.attempts++;
    history.push(`${kind?.name ?? 'left alone'} -> ${signal ?? code} ${report?.state ?? ''}`);
    const files = checkpointFiles(join(root, name));
    mostFiles = Math.max(mostFiles, files.files);
    if (files.temporaries + files.backups > 0) tally.killed_inside_save++;
    saved ||= lines.some((line) => line.includes('saved checkpoint')) || files.valid > 0;
    if (saved && files.valid === 0) failures.push({ name, history, problem: 'no valid checkpoint' });
    if (files.files > 2) failures.push({ name, history, problem: `${files.files} files` });
    if (code !== 0 && signal === null) {
      failures.push({ name, history, problem: lines.slice(-6) });
      break;
    }
    if (hit && report?.state !== 'completed') {
      interruptions++;
      tally.interruptions++;
      counts[kind.name] = (counts[kind.name] ?? 0) + 1;
    }
    if (report?.state === 'completed') break;
  }
  tally.runs++;
  tally.most_in_one_run = Math.max(tally.most_in_one_run, interruptions);
  const actual = fingerprint(join(root, name));
  if (actual.steps !== expected.steps) everyStepOnce = false;
  const same = Object.keys(expected).filter((key) => actual[key] !== expected[key]);
  const { files } = checkpointFiles(join(root, name));
  if (same.length === 0 && files === 1) tally.identical++;
  else failures.push({ name, history, problem: `differs in ${same}; ${files} files at the end` });
  console.log(
    `${name}: ${interruptions} interruptions, ${same.length === 0 ? 'identical' : `DIFFERS in ${same}`}`,
  );
  if (same.length === 0) rmSync(join(root, name), { recursive: true, force: true });
  rmSync(join(root, `teacher-${name}`), { recursive: true, force: true });
}

mkdirSync(root, { recursive: true });
const began = Date.now();
const twin = await attempt(writeConfig('twin'), undefined);
if (twin.code !== 0) throw new Error(`the uninterrupted run failed:\n${twin.lines.join('\n')}`);
const expected = fingerprint(join(root, 'twin'));
console.log(`uninterrupted run: ${(Date.now() - began) / 1000} s`);

let next = 0;
async function worker() {
  while (tally.interruptions < wanted && Date.now() < deadline) {
    await oneRun(next++, expected);
    report();
  }
}

function report() {
  save(options.name, {
    device: options.device,
    seed: Number(options.seed),
    settings: {
      ...settings('NAME'),
      model: 'tiny-llama',
      run: undefined,
      encoder: 'tiny-llama',
      objective: 'with distillation',
    },
    ...tally,
    most_checkpoint_files: mostFiles,
    every_step_once: everyStepOnce,
    by_kind: counts,
    failures,
    seconds: (Date.now() - began) / 1000,
  });
}

await Promise.all(Array.from({ length: Number(options.parallel) }, worker));
report();
console.log(tally, counts, failures.length === 0 ? 'all identical' : JSON.stringify(failures, null, 2));
if (failures.length === 0) rmSync(root, { recursive: true, force: true });
process.exitCode = failures.length === 0 ? 0 : 1;
