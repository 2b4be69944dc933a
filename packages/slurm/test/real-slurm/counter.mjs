/**
 * A stand-in for a training: counts steps, chains a digest over them, saves when it is told to stop, and goes on from
 * there. Its last digest is that of an undisturbed run only if no step was lost, repeated or reordered.
 *
 *   node counter.mjs PACKAGE RUN_FOLDER STEPS STEP_MS [--lead SECONDS] [--crash] [--idle] [--save-every STEPS]
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

let received;
for (const signal of ['SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGINT'])
  process.on(signal, () => (received ??= signal));
process.on('SIGCONT', () => {});

const [packageFile, folder, stepsText, stepMsText, ...flags] = process.argv.slice(2);
const steps = Number(stepsText);
const option = (name) => (flags.includes(name) ? Number(flags[flags.indexOf(name) + 1]) : undefined);
const leadMs = (option('--lead') ?? 0) * 1000;
const saveEvery = option('--save-every');
const { superviseJob } = await import(pathToFileURL(packageFile).href);

mkdirSync(folder, { recursive: true });
const file = (name) => path.join(folder, name);
const note = (event, fields) =>
  appendFileSync(
    file('events.jsonl'),
    `${JSON.stringify({ event, at: Date.now(), pid: process.pid, node: process.env.SLURMD_NODENAME, ...fields })}\n`,
  );
const read = (name, otherwise) =>
  existsSync(file(name)) ? JSON.parse(readFileSync(file(name), 'utf8')) : otherwise;
const write = (name, value) => {
  writeFileSync(file(`${name}.tmp`), JSON.stringify(value));
  renameSync(file(`${name}.tmp`), file(name));
};

const supervisor = await superviseJob({ pollMs: 300, refreshMs: 2_000, limits: { settleMs: 1_000 } });
let state = read('state.json', { step: 0, digest: '' });
const attempts = read('attempts.json', []);
const from = state.step;
note('start', {
  from,
  job: supervisor?.job.id,
  restarts: supervisor?.job.restarts,
  ranks: process.env.WORLD_SIZE,
  argument: process.env.HOSTILE,
});
console.log(`start from ${from}`);

let stop = { kind: 'finished' };
while (state.step < steps) {
  if (received !== undefined) stop = { kind: 'signal', signal: received };
  else if (leadMs > 0) stop = supervisor?.stopWanted(leadMs) ?? stop;
  if (stop.kind !== 'finished') break;
  if (flags.includes('--crash') && state.step - from >= 3) {
    stop = { kind: 'crash', signature: 'step: out of luck', retryable: true };
    break;
  }
  await sleep(Number(stepMsText));
  if (flags.includes('--idle')) continue;
  const step = state.step + 1;
  state = { step, digest: createHash('sha256').update(`${state.digest}${step}`).digest('hex') };
  if (saveEvery !== undefined && step % saveEvery === 0) write('state.json', state);
}
write('state.json', state);
const progressed = state.step > from;
const ends = { signal: 'preemption', 'time-limit': 'time-limit', crash: 'crash', finished: 'unknown' };
write('attempts.json', [
  ...attempts,
  { progressed, end: ends[stop.kind], ...(stop.kind === 'crash' && { crashSignature: stop.signature }) },
]);
note('saved', { step: state.step, stop: stop.kind, signal: received });
if (supervisor === undefined) process.exit(stop.kind === 'finished' ? 0 : 1);
const { exitCode, decision } = await supervisor.settle({
  stop,
  progressed,
  attempts,
  onDecision: (decision) => note('decision', decision),
});
note('exit', { exitCode, ...decision });
process.exit(exitCode);
