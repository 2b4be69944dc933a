/**
 * The parts of parts.mjs, each on a GPU of its own as long as there are any; what needs all of them comes last. They go
 * on when this command ends (after --wait seconds at the latest); the same command again waits for the rest. Each time,
 * logs and results of what is done are packed into OUT/gpu.tgz. What is done is not done again; a part that failed is
 * told and tried again by the next call once all have ended. Several GPUs of one host share its processor and its disk: `load` wants to be alone.
 *
 *   [MODELS=dir] OUT=dir node bench/gpu/all.mjs [--parts step,auto-batch] [--peer python3] [--limit 1500] [--wait 540]
 *     [--runs /tmp/latentwire-gpu] [--rehearse]
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PARTS } from './parts.mjs';

const { values: o } = parseArgs({
  options: {
    parts: { type: 'string', default: Object.keys(PARTS).join(',') },
    peer: { type: 'string', default: 'python3' },
    /** Seconds after which what still runs is ended, and no part begins that would take longer. */
    limit: { type: 'string', default: '1500' },
    wait: { type: 'string', default: '540' },
    runs: { type: 'string', default: '/tmp/latentwire-gpu' },
    /** Commands are printed and take a second each. */
    rehearse: { type: 'boolean', default: false },
    worker: { type: 'boolean', default: false },
  },
});
const root = fileURLToPath(new URL('../..', import.meta.url));
const file = (part, end) => join(o.runs, `${part}.${end}`);
const unknown = o.parts.split(',').filter((part) => PARTS[part] === undefined);
if (unknown.length > 0)
  throw new Error(`expected parts among ${Object.keys(PARTS).join(', ')}, got ${unknown.join(', ')}`);

/** All parts, as many at once as there are GPUs. */
async function work() {
  const listed = spawnSync('nvidia-smi', ['--query-gpu=index', '--format=csv,noheader'], {
    encoding: 'utf8',
  });
  const gpus = process.env.CUDA_VISIBLE_DEVICES?.split(',') ?? (listed.stdout ?? '').trim().split('\n');
  const ends = Date.now() + 1000 * Number(o.limit);
  const wanted = o.parts.split(',').filter((part) => !told(part)?.startsWith('done'));
  for (const part of wanted) rmSync(file(part, 'done'), { force: true });
  const possible = wanted.filter((part) => {
    const missing = (PARTS[part].needs ?? []).filter((need) => need === 'MODELS' && !process.env.MODELS);
    if (missing.length > 0) finish(part, 'left out: MODELS is not set');
    return missing.length === 0;
  });
  const single = possible.filter((part) => PARTS[part].gpus !== 'all');
  const last = possible.filter((part) => PARTS[part].gpus === 'all');
  const singleEnds = ends - last.reduce((sum, part) => sum + 1000 * PARTS[part].seconds, 0);
  /** The first in the list that can end in time. */
  const next = (parts) => {
    const fits = parts.findIndex((part) => Date.now() + 1000 * PARTS[part].seconds < singleEnds);
    return fits < 0 ? undefined : parts.splice(fits, 1)[0];
  };
  await Promise.all(
    gpus.map(async (gpu) => {
      for (let part = next(single); part !== undefined; part = next(single))
        await run(part, [gpu], singleEnds);
    }),
  );
  for (const part of last) await run(part, gpus, ends);
  for (const part of single) finish(part, 'left out: no time');
}

async function run(part, gpus, ends) {
  const began = Date.now();
  const folder = join(o.runs, part);
  mkdirSync(folder, { recursive: true });
  const log = openSync(file(part, 'log'), 'w');
  const { command } = PARTS[part];
  const env = {
    ...process.env,
    ...{ CUDA_VISIBLE_DEVICES: gpus.join(','), GPUS: String(gpus.length), PEER: o.peer, OUT: folder },
    ...{ WORK: folder, PARTS: o.runs, SCORES: join(o.runs, 'scores') },
    // With half a minute to pack what is there.
    LEFT: String(Math.max(0, Math.floor((ends - began) / 1000) - 30)),
  };
  const child = spawn('bash', ['-c', o.rehearse ? `sleep 1; cat <<'EOF'\n${command}\nEOF` : command], {
    ...{ cwd: root, env, stdio: ['ignore', log, log] },
    // A group of its own, so that a peer does not outlive its part.
    detached: true,
  });
  closeSync(log);
  const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), Math.max(1000, ends - began));
  const code = await new Promise((done) => child.on('close', (status, signal) => done(signal ?? status)));
  clearTimeout(timer);
  const seconds = Math.round((Date.now() - began) / 1000);
  finish(part, `${code === 0 ? 'done' : `ended with ${code}`} on GPU ${gpus.join(', ')}, ${seconds} s`);
}

const finish = (part, outcome) => writeFileSync(file(part, 'done'), `${outcome}\n`);
const told = (part) =>
  existsSync(file(part, 'done')) ? readFileSync(file(part, 'done'), 'utf8').trim() : undefined;

async function supervise() {
  mkdirSync(o.runs, { recursive: true });
  const pid = file('worker', 'pid');
  const atWork = () =>
    existsSync(pid) && existsSync(`/proc/${readFileSync(pid, 'utf8')}`) && !existsSync(file('worker', 'end'));
  if (!atWork()) {
    rmSync(file('worker', 'end'), { force: true });
    const log = openSync(file('worker', 'log'), 'a');
    const child = spawn(process.execPath, [...process.argv.slice(1), '--worker'], {
      ...{ detached: true, stdio: ['ignore', log, log] },
    });
    closeSync(log);
    child.unref();
    writeFileSync(pid, String(child.pid));
  }
  const until = Date.now() + 1000 * Number(o.wait);
  while (atWork() && Date.now() < until) await new Promise((done) => setTimeout(done, 1000));
  for (const part of o.parts.split(',')) {
    const last = existsSync(file(part, 'log'))
      ? readFileSync(file(part, 'log'), 'utf8').trim().split('\n').at(-1)
      : '';
    console.log(
      `${part}: ${told(part) ?? (existsSync(file(part, 'log')) ? 'at work' : 'waits')}  ${last.slice(0, 160)}`,
    );
  }
  pack();
  console.log(atWork() ? 'still at work: give the same command again' : 'all parts have ended');
}

/** Logs, results and small files; no weights. */
function pack() {
  const out = process.env.OUT;
  if (out === undefined) return;
  mkdirSync(out, { recursive: true });
  const packed = readdirSync(o.runs).filter((name) => !name.startsWith('worker'));
  spawnSync('tar', [
    ...[
      'czf',
      join(out, 'gpu.tgz'),
      '--exclude=*.safetensors',
      '--exclude=tensorboard',
      '--exclude=scoring',
      '--exclude=pair',
    ],
    ...['-C', join(root, 'bench'), 'results/gpu', '-C', o.runs, ...packed],
  ]);
  // The trained pair is what this part is for.
  const pair = join(o.runs, 'pair', 'packed');
  if (existsSync(pair)) spawnSync('bash', ['-c', `cp ${pair}/*.tgz ${out}/`]);
}

if (o.worker) {
  await work();
  writeFileSync(file('worker', 'end'), '');
} else await supervise();
