/**
 * Time and memory against scipy.stats.bootstrap in one run, both sides measured in turns: BCa of a mean and of a paired
 * difference, 10 570 items, 10 000 resamples; and our report of 5 methods on 7 metrics.
 * Writes bench/results/stats-speed.json. Usage: node bench/stats/speed.mjs [--python python3] [--rounds 7]
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bootstrapCI, compareScores, formatReport } from '../../packages/stats/dist/index.js';
import { saveResult } from '../save-result.mjs';
import { pair, table } from './data.mjs';

const { values: options } = parseArgs({
  options: {
    python: { type: 'string', default: process.env.LATENTWIRE_PYTHON ?? 'python3' },
    rounds: { type: 'string', default: '7' },
  },
});
const N = 10_570;
const RESAMPLES = 10_000;
const here = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url));

/** A Python process that answers one line per request. */
function startPeer() {
  const child = spawn(options.python, [here('peer.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    /** @param {object} request */
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return JSON.parse((await lines.next()).value);
    },
    close: () => child.stdin.end(),
  };
}

/** @param {() => unknown} body */
function time(body) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  body();
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
}

const median = (/** @type {number[]} */ values) => values.toSorted((x, y) => x - y)[values.length >> 1];
const data = pair(N);
const ours = {
  mean: (/** @type {number} */ threads, seed = 0) =>
    bootstrapCI(data.a, { resamples: RESAMPLES, threads, seed }),
  paired: (/** @type {number} */ threads, seed = 0) =>
    bootstrapCI({ ...data, paired: true }, { resamples: RESAMPLES, threads, seed }),
};

const result = { n: N, resamples: RESAMPLES, calls: [], memory: [], report: {} };
const peer = startPeer();
await peer.ask({ case: 'load', data });
for (const name of /** @type {const} */ (['mean', 'paired'])) {
  for (const threads of [1, 2]) ours[name](threads);
  const request = { case: name, resamples: RESAMPLES };
  const first = await peer.ask({ ...request, seed: 0, batch: null });
  const samples = { one: [], two: [], scipy: [], scipyBatch: [] };
  for (let round = 0; round < Number(options.rounds); round++) {
    samples.one.push(time(() => ours[name](1, round)));
    samples.scipy.push(await peer.ask({ ...request, seed: round, batch: null }));
    samples.two.push(time(() => ours[name](2, round)));
    samples.scipyBatch.push(await peer.ask({ ...request, seed: round, batch: 100 }));
  }
  const { low, high } = ours[name](2);
  const row = {
    case: name,
    ours: { low, high },
    scipy: { low: first.low, high: first.high, firstCallSeconds: first.seconds },
  };
  for (const [side, runs] of Object.entries(samples)) {
    const seconds = runs.map((run) => run.seconds);
    row[side] = {
      ...row[side],
      medianSeconds: median(seconds),
      bestSeconds: Math.min(...seconds),
      bestCpuSeconds: Math.min(...runs.map((run) => run.cpu)),
    };
  }
  row.ratios = {
    'default scipy / ours, 2 threads, median': row.scipy.medianSeconds / row.two.medianSeconds,
    'default scipy / ours, 1 thread, median': row.scipy.medianSeconds / row.one.medianSeconds,
    'default scipy, first call / ours, 1 thread, median': first.seconds / row.one.medianSeconds,
    'batch=100 scipy / ours, 2 threads, median': row.scipyBatch.medianSeconds / row.two.medianSeconds,
    'default scipy / ours, 1 thread, CPU': row.scipy.bestCpuSeconds / row.one.bestCpuSeconds,
    'batch=100 scipy / ours, 1 thread, CPU': row.scipyBatch.bestCpuSeconds / row.one.bestCpuSeconds,
  };
  result.calls.push(row);
  console.log(name, JSON.stringify(row, null, 1));
}
peer.close();

for (const name of ['mean', 'paired']) {
  const own = JSON.parse(
    spawnSync(process.execPath, [here('one-call.mjs'), name], { encoding: 'utf8' }).stdout,
  );
  const memory = { case: name, ours: own };
  for (const [label, batch] of [
    ['scipy', null],
    ['scipyBatch', 100],
  ]) {
    const fresh = startPeer();
    const { baselineMb } = await fresh.ask({ case: 'load', data });
    memory[label] = {
      beforeMb: baselineMb,
      ...(await fresh.ask({ case: name, resamples: RESAMPLES, seed: 0, batch })),
    };
    fresh.close();
  }
  memory.ratioOfPeaks = memory.scipy.maxRssMb / own.maxRssMb;
  memory.ratioOfGrowth =
    (memory.scipy.maxRssMb - memory.scipy.beforeMb) / Math.max(1, own.maxRssMb - own.beforeMb);
  result.memory.push(memory);
  console.log('memory', JSON.stringify(memory, null, 1));
}

const scores = table(N, 5, 7);
for (const threads of [2, 1]) {
  const runs = Array.from({ length: 5 }, () =>
    time(() => formatReport(compareScores(scores, { resamples: RESAMPLES, threads }), 'markdown')),
  );
  result.report[`threads${threads}`] = {
    medianSeconds: median(runs.map((run) => run.seconds)),
    bestSeconds: Math.min(...runs.map((run) => run.seconds)),
    bestCpuSeconds: Math.min(...runs.map((run) => run.cpu)),
  };
}
console.log('report of 5 methods on 7 metrics', JSON.stringify(result.report, null, 1));
saveResult('stats-speed', result);
