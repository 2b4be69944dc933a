/**
 * Aggregate, status and query over many finished runs: wall time, processor time and peak memory of each command
 * as a process of its own. Usage: node bench/experiments/scale.mjs [COUNT] [FOLDER]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { saveResult } from '../save-result.mjs';
import { makeRuns, QUESTIONS } from './make-runs.mjs';

const program = fileURLToPath(new URL('../../packages/latentwire/dist/cli/main.js', import.meta.url));
const count = Number(process.argv[2] ?? 10_000);
const given = process.argv[3];
const folder = given ?? mkdtempSync(path.join(os.tmpdir(), 'latentwire-scale-'));
if (!existsSync(folder) || readdirSync(folder).length === 0) makeRuns(folder, count);

const USAGE = `data:text/javascript,process.on('exit',()=>{const u=process.resourceUsage();process.stderr.write('\\n%23usage '+JSON.stringify([u.userCPUTime+u.systemCPUTime,u.maxRSS]))})`;

/** @param {string[]} args */
function measure(...args) {
  const started = performance.now();
  const { stderr, status } = spawnSync(process.execPath, ['--import', USAGE, program, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(stderr);
  const wall = (performance.now() - started) / 1000;
  const [cpu = 0, rss = 0] = JSON.parse(stderr.slice(stderr.lastIndexOf('#usage') + 7));
  const round = (/** @type {number} */ value) => Math.round(100 * value) / 100;
  const result = {
    wall_seconds: round(wall),
    cpu_seconds: round(cpu / 1e6),
    peak_memory_mb: Math.round(rss / 1024),
  };
  console.log(args[0], result);
  return result;
}

const output = path.join(os.tmpdir(), `latentwire-scale-${process.pid}.json`);
const result = {
  runs: readdirSync(folder).length,
  questions_per_run: 3 * QUESTIONS,
  load_average: os.loadavg()[0],
  status: measure('status', folder),
  aggregate: measure('aggregate', '--experiment-dir', folder, '--output', output),
  query: measure('query', 'SELECT mode, avg(f1) FROM predictions GROUP BY mode', '--experiment-dir', folder),
};
rmSync(output, { force: true });
if (given === undefined) rmSync(folder, { recursive: true });
saveResult('experiments-scale', result);
