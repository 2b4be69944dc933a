/**
 * Does a plan survive its runner? Carries out experiments/smoke.yaml twice: once undisturbed, once with kill -9 of
 * runners and of cells in turn, each time continued by another runner; then compares every result byte for byte
 * (times, attempts and the run's own path aside). Usage: node bench/experiments/kill.mjs [KILLS] [FOLDER]
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { saveResult } from '../save-result.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const program = path.join(root, 'packages/latentwire/dist/cli/main.js');
const plan = path.join(root, 'experiments/smoke.yaml');
const kills = Number(process.argv[2] ?? 10);
const folder = process.argv[3] ?? mkdtempSync(path.join(os.tmpdir(), 'latentwire-kill-'));
mkdirSync(folder, { recursive: true });
const log = openSync(path.join(folder, 'runners.log'), 'a');
const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {string} directory @param {number} jobs */
function startRunner(directory, jobs) {
  const args = [program, 'run', plan, '--experiment-dir', directory, '--jobs', String(jobs)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', log, log] });
  return { child, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

/** Cells at work, by their claims. @param {string} directory @returns {{ name: string, pid: number }[]} */
function workers(directory) {
  const claims = path.join(directory, '.experiment/claims');
  if (!existsSync(claims)) return [];
  return readdirSync(claims).flatMap((name) => {
    if (name.startsWith('.')) return [];
    const { released, worker } = JSON.parse(readFileSync(path.join(claims, name), 'utf8'));
    if (released || worker === null) return [];
    try {
      process.kill(worker.pid, 0);
      return [{ name, pid: worker.pid }];
    } catch {
      return [];
    }
  });
}

/** @param {string} directory */
async function disturbed(directory) {
  const killed = { runners: 0, cells: 0 };
  let runner = startRunner(directory, 2);
  while (killed.runners + killed.cells < kills) {
    await sleep(4000 + Math.random() * 7000);
    if (runner.child.exitCode !== null) break;
    if (killed.cells <= killed.runners) {
      const alive = workers(directory);
      const victim = alive[Math.floor(Math.random() * alive.length)];
      if (victim === undefined) continue;
      process.kill(victim.pid, 'SIGKILL');
      killed.cells += 1;
    } else {
      runner.child.kill('SIGKILL');
      await runner.ended;
      killed.runners += 1;
      await sleep(Math.random() * 3000);
      runner = startRunner(directory, 2);
    }
  }
  await runner.ended;
  return killed;
}

const TIMES = /second|time|_ms|per_s|^attempt$|^mfu$/;
/** @param {any} value @returns {any} */
const withoutTimes = (value) => {
  if (Array.isArray(value)) return value.map(withoutTimes);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !TIMES.test(key));
  return Object.fromEntries(kept.map(([key, entry]) => [key, withoutTimes(entry)]));
};
/** What a file says, in a form in which equal runs are equal. @type {Record<string, (file: string) => string>} */
const CONTENT = {
  'predictions.jsonl': (file) => readFileSync(file, 'utf8'),
  'logs/metrics.json': (file) => JSON.stringify(withoutTimes(JSON.parse(readFileSync(file, 'utf8')))),
  'logs/diagnostics.jsonl': (file) => {
    /** @type {any[]} */
    const rows = [];
    for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
      const row = JSON.parse(line);
      while (rows.length > 0 && rows.at(-1).step >= row.step) rows.pop();
      rows.push(row);
    }
    return JSON.stringify(withoutTimes(rows));
  },
  // Weights and optimiser: the bytes of every tensor; the header's metadata holds the path and times.
  'preempt_checkpoint/checkpoint_current.safetensors': (file) => {
    const bytes = readFileSync(file);
    const end = 8 + Number(bytes.readBigUInt64LE(0));
    const { __metadata__: _, ...header } = JSON.parse(bytes.subarray(8, end).toString('utf8'));
    return Object.keys(header)
      .sort()
      .map((name) => {
        const [from, to] = header[name].data_offsets;
        return `${name} ${header[name].dtype} ${bytes.subarray(end + from, end + to).toString('base64')}`;
      })
      .join('\n');
  },
};

const [calm, storm] = ['calm', 'storm'].map((name) => path.join(folder, name));
const started = Date.now();
await startRunner(calm, 1).ended;
const calmSeconds = (Date.now() - started) / 1000;
const killed = await disturbed(storm);
const runs = (/** @type {string} */ directory) =>
  readdirSync(directory)
    .filter((name) => !name.startsWith('.'))
    .sort();
const differing = [];
let compared = 0;
for (const name of runs(calm)) {
  for (const [file, content] of Object.entries(CONTENT)) {
    const [a, b] = [calm, storm].map((directory) => path.join(directory, name, file));
    if (!existsSync(a) && !existsSync(b)) continue;
    compared += 1;
    if (!existsSync(a) || !existsSync(b) || content(a) !== content(b)) differing.push(`${name}/${file}`);
  }
}
const causes = /** @type {Record<string, number>} */ ({});
const endings = runs(storm).map((name) => {
  const text = readFileSync(path.join(storm, '.experiment/cells', name, 'attempts.jsonl'), 'utf8');
  const ends = [...text.matchAll(/"cause":"(\w+)"/g)].map((match) => match[1]);
  for (const cause of ends) causes[cause] = (causes[cause] ?? 0) + 1;
  return ends.filter((cause) => cause === 'completed').length;
});
const result = {
  plan: 'experiments/smoke.yaml',
  killed,
  runs: runs(storm).length,
  completed_once: endings.filter((count) => count === 1).length,
  endings: causes,
  files_compared: compared,
  differing,
  undisturbed_seconds: Math.round(calmSeconds),
};
console.log(JSON.stringify(result, null, 2));
saveResult('experiments-kill', result);
process.exitCode = differing.length === 0 && runs(calm).join() === runs(storm).join() ? 0 : 1;
