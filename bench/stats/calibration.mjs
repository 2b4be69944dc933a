/**
 * Calibration of every test and interval of @latentwire/stats on simulated data: rejection rates without an effect,
 * coverage of 95 % intervals, and simulated power against power(). Writes bench/results/stats-calibration.json.
 * Usage: node bench/stats/calibration.mjs [--threads N] [--simulations 2000] [--only null|coverage|power] [--name bootstrapCI]
 *        node bench/stats/calibration.mjs --recheck   (repeats what missed in the saved result)
 * A scenario outside its band is repeated on ten times as many other data sets, to tell chance from error: of 250 bands
 * of 99 %, two or three are missed by chance. About 85 minutes of CPU time; every scenario has its own seeded stream of data sets, so a rerun gives the same
 * numbers with any number of threads.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import {
  BINARY_DISCORDANCE,
  coverageScenarios,
  nullScenarios,
  powerScenarios,
  Simulation,
} from '../../packages/stats/dist/calibration/index.js';
import { binomial, power } from '../../packages/stats/dist/index.js';
import { saveResult } from '../save-result.mjs';

const SAVED = new URL('../results/stats-calibration.json', import.meta.url);

const scenarios = [
  ...nullScenarios().map((scenario) => ({ part: 'null', name: scenario.test, scenario })),
  ...coverageScenarios().map((scenario) => ({ part: 'coverage', name: scenario.interval, scenario })),
  ...powerScenarios().map((scenario) => ({ part: 'power', name: scenario.test, scenario })),
];

/** Share of simulated data sets for which `hit` holds. */
function rate(name, simulations, hit) {
  let seed = 17;
  for (const character of name) seed = (Math.imul(seed, 31) + character.codePointAt(0)) | 0;
  let hits = 0;
  for (let k = 0; k < simulations; k++) hits += hit(new Simulation(seed, k)) ? 1 : 0;
  return hits / simulations;
}

/** Simulates one scenario. @param {string} stream another one gives other data sets */
function simulate({ part, scenario }, simulations, stream) {
  if (part === 'null') {
    const { kind, n, simulate: draw, pValue } = scenario;
    return rate(`null ${kind} ${n}${stream}`, simulations, (simulation) => pValue(draw(simulation)) <= 0.05);
  }
  if (part === 'coverage') {
    const { interval, kind, n, covers } = scenario;
    return rate(`coverage ${interval} ${kind} ${n}${stream}`, simulations, covers);
  }
  const { test, effect, n, rejects } = scenario;
  return rate(`power ${test} ${effect} ${n}${stream}`, simulations, rejects);
}

/** Rates between these are what chance allows with probability 0.99 when the truth is `p`. */
function band(p, simulations) {
  const quantile = (tail) => {
    let k = 0;
    while (binomial.cdf(k, simulations, p) < tail) k++;
    return k / simulations;
  };
  return [quantile(0.005), quantile(0.995)];
}

/** Compares a simulated rate with what it ought to be. */
function judge({ part, scenario }, measured, simulations) {
  if (part === 'null') {
    const { test, kind, n, claim } = scenario;
    const variant = /^mcnemarTest (exact|midp|chi2)$/.exec(test)?.[1];
    // The size of McNemar's test on these data is known exactly: its power without an effect.
    const exactSize =
      variant === undefined
        ? undefined
        : power({
            test: 'mcnemar',
            firstOnly: BINARY_DISCORDANCE,
            secondOnly: BINARY_DISCORDANCE,
            n,
            variant,
          }).power;
    const [from, to] = band(exactSize ?? 0.05, simulations);
    const holds = measured <= to && (measured >= from || (claim === 'at most' && exactSize === undefined));
    const conservative = measured < band(0.05, simulations)[0];
    const known = exactSize === undefined ? {} : { exactSize };
    return { test, kind, n, claim, size: measured, ...known, conservative, holds };
  }
  if (part === 'coverage') {
    const { interval, kind, n, claim } = scenario;
    const exactCoverage = scenario.exactCoverage?.();
    const coverage = exactCoverage ?? measured;
    const inside = coverage >= 0.935 && (coverage <= 0.965 || claim === 'at least');
    const [from, to] = exactCoverage === undefined ? [0, 1] : band(exactCoverage, simulations);
    const known = exactCoverage === undefined ? {} : { exactCoverage };
    return {
      interval,
      kind,
      n,
      claim,
      coverage: measured,
      ...known,
      holds: inside && measured >= from && measured <= to,
    };
  }
  const { test, effect, n, predicted } = scenario;
  const expected = predicted();
  const [from, to] = band(expected, simulations);
  return {
    test,
    effect,
    n,
    predicted: expected,
    simulated: measured,
    holds: measured >= from && measured <= to,
  };
}

const percent = (value) => `${(100 * value).toFixed(2)} %`;

function describe({ part }, row) {
  const verdict = row.holds ? 'ok  ' : row.claim === 'report' ? 'note' : 'MISS';
  if (part === 'null') {
    const exact = row.exactSize === undefined ? '' : ` (exact size ${percent(row.exactSize)})`;
    const note = row.conservative ? ' (conservative)' : '';
    return `${verdict} type-I ${percent(row.size)}  ${row.test}, ${row.kind}, n = ${row.n}${note}${exact}`;
  }
  if (part === 'coverage')
    return `${verdict} coverage ${percent(row.coverage)}  ${row.interval}, ${row.kind}, n = ${row.n}`;
  return `${verdict} power ${percent(row.simulated)} for ${percent(row.predicted)}  ${row.test}, ${row.effect}, n = ${row.n}`;
}

async function main() {
  const { values: options } = parseArgs({
    options: {
      simulations: { type: 'string', default: '2000' },
      only: { type: 'string', default: '' },
      name: { type: 'string', default: '' },
      recheck: { type: 'boolean', default: false },
      threads: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const simulations = Number(options.simulations);
  const jobs = scenarios
    .map((_, index) => index)
    .filter((index) => {
      const { part, name } = scenarios[index];
      return (options.only === '' || options.only === part) && name.includes(options.name);
    });
  const saved = options.recheck ? JSON.parse(readFileSync(SAVED, 'utf8')) : null;
  const rows =
    saved === null ? await measure(jobs, simulations, '', options.threads) : savedRows(jobs, saved);
  const missed = jobs.filter((index) => !rows.get(index).holds && rows.get(index).claim !== 'report');
  const again = await measure(missed, 10 * simulations, ' again', options.threads);
  for (const [index, repeated] of again) {
    rows.set(index, {
      ...rows.get(index),
      holds: repeated.holds,
      again: { simulations: 10 * simulations, ...repeated },
    });
  }
  const of = (part) => jobs.filter((index) => scenarios[index].part === part).map((index) => rows.get(index));
  const misses = [...rows.values()].filter((row) => !row.holds && row.claim !== 'report');
  console.log(`${rows.size} scenarios, ${missed.length} repeated, ${misses.length} miss`);
  if (options.only === '' && options.name === '')
    saveResult('stats-calibration', {
      simulations,
      null: of('null'),
      coverage: of('coverage'),
      power: of('power'),
    });
}

/** Rows of the given scenarios by index, simulated on worker threads. */
async function measure(jobs, simulations, stream, threads) {
  // The largest data sets take longest: start with them, so that no thread is left alone with one.
  const queue = jobs.toSorted((a, b) => (scenarios[b].scenario.n ?? 0) - (scenarios[a].scenario.n ?? 0));
  const rows = new Map();
  await Promise.all(
    Array.from({ length: Math.min(Number(threads), queue.length) }, async () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { simulations, stream } });
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        const measured = await new Promise((resolve, reject) => {
          worker.removeAllListeners();
          worker.once('message', resolve).once('error', reject);
          worker.postMessage(index);
        });
        rows.set(index, judge(scenarios[index], measured, simulations));
        console.log(`${rows.size}/${jobs.length} ${describe(scenarios[index], rows.get(index))}`);
      }
      await worker.terminate();
    }),
  );
  return rows;
}

/** Saved rates, judged by what is claimed today. */
function savedRows(jobs, saved) {
  return new Map(
    jobs.map((index) => {
      const { part, scenario } = scenarios[index];
      const same = (row) =>
        ['test', 'interval', 'kind', 'effect', 'n'].every((key) => row[key] === scenario[key]);
      const row = saved[part].find(same);
      if (row === undefined) throw new Error(`not in the saved result: ${JSON.stringify(scenario)}`);
      return [index, judge(scenarios[index], row.size ?? row.coverage ?? row.simulated, saved.simulations)];
    }),
  );
}

if (isMainThread) await main();
else
  parentPort.on('message', (index) => {
    const { simulations, stream } = workerData;
    parentPort.postMessage(simulate(scenarios[index], simulations, stream));
  });
