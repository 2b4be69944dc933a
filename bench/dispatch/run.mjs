/**
 * Time of small eager operators: ours (TypeScript through the bridge) against Python torch, the same libtorch, one
 * thread each, measured in turns. Rounds are short (milliseconds) and many, so that on a busy machine both sides get
 * quiet ones: the lower decile is what a call costs, the median what it cost in this run.
 * Writes bench/results/dispatch.json. Usage: node bench/dispatch/run.mjs [--rounds 201] [--only add]
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as t from '@latentwire/torch';
import { PythonPeer } from '../python.mjs';
import { geometricMean, median, quantile, save } from '../report.mjs';
import { cases } from './cases.mjs';

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '201' }, only: { type: 'string', default: '' } },
});
const ROUNDS = Number(options.rounds);
/** Operators per scope: about what a layer of a model makes before its scope closes. */
const PER_SCOPE = 50;
const ROUND_SECONDS = 0.003;

/** Seconds for n runs, scopes included. @param {() => unknown} body @param {number} n */
function timeOurs(body, n) {
  const start = process.hrtime.bigint();
  for (let done = 0; done < n; done += PER_SCOPE) {
    t.scope(() => {
      for (let i = 0; i < PER_SCOPE; i++) body();
    });
  }
  return Number(process.hrtime.bigint() - start) / 1e9;
}

t.setNumThreads(1);
const python = new PythonPeer(fileURLToPath(new URL('peer.py', import.meta.url)));
const rows = [];
const line = (/** @type {string} */ name, /** @type {string[]} */ cells) =>
  console.log(name.padEnd(32) + cells.map((cell) => cell.padStart(11)).join(''));
console.log('nanoseconds per call: median over rounds, and lower decile');
line('operator', ['ours', 'Python', 'ratio', 'ours p10', 'Python p10', 'ratio p10']);
for (const [name, build] of Object.entries(cases)) {
  if (!name.includes(options.only)) continue;
  const body = build();
  const timePython = async (/** @type {number} */ n) =>
    (await python.ask({ case: name, iterations: n })).seconds;
  // Warm-up: the just-in-time compiler, the allocators and the operator caches of both sides.
  timeOurs(body, 10_000);
  await timePython(2000);
  const perCall = (await timePython(1000)) / 1000;
  const iterations = PER_SCOPE * Math.max(1, Math.round(ROUND_SECONDS / perCall / PER_SCOPE));
  const [ours, theirs] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    // Who goes first changes, so that a drift of the machine favours neither.
    if (round % 2 === 0) ours.push(timeOurs(body, iterations));
    theirs.push(await timePython(iterations));
    if (round % 2 === 1) ours.push(timeOurs(body, iterations));
  }
  const nanoseconds = (/** @type {number} */ seconds) => (seconds / iterations) * 1e9;
  const row = {
    operator: name,
    iterations,
    ours: nanoseconds(median(ours)),
    python: nanoseconds(median(theirs)),
    ratio: median(ours) / median(theirs),
    oursP10: nanoseconds(quantile(ours, 0.1)),
    pythonP10: nanoseconds(quantile(theirs, 0.1)),
    ratioP10: quantile(ours, 0.1) / quantile(theirs, 0.1),
  };
  rows.push(row);
  line(
    name,
    [row.ours, row.python, row.ratio, row.oursP10, row.pythonP10, row.ratioP10].map((value, i) =>
      value.toFixed(i % 3 === 2 ? 2 : 0),
    ),
  );
}
python.close();
const geometricMeans = {
  ratio: geometricMean(rows.map((row) => row.ratio)),
  ratioP10: geometricMean(rows.map((row) => row.ratioP10)),
};
line('geometric mean', ['', '', geometricMeans.ratio.toFixed(3), '', '', geometricMeans.ratioP10.toFixed(3)]);
if (options.only === '') save('dispatch', { rounds: ROUNDS, geometricMeans, rows });
