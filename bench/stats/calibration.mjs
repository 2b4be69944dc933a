/**
 * Calibration of every test and interval of @latentwire/stats on simulated data: rejection rates without an effect,
 * coverage of 95 % intervals, and simulated power against power(). Writes bench/results/stats-calibration.json.
 * Usage: node bench/stats/calibration.mjs [--simulations 2000] [--only null|coverage|power] [--name bootstrapCI]
 * One thread, about an hour of CPU time; every data set is seeded, so a rerun gives the same numbers.
 */
import { parseArgs } from 'node:util';
import {
  BINARY_DISCORDANCE,
  coverageScenarios,
  nullScenarios,
  powerScenarios,
  Simulation,
} from '../../packages/stats/dist/calibration/index.js';
import { binomial, power } from '../../packages/stats/dist/index.js';
import { save } from './save.mjs';

const { values: options } = parseArgs({
  options: {
    simulations: { type: 'string', default: '2000' },
    only: { type: 'string', default: '' },
    name: { type: 'string', default: '' },
  },
});
const SIMULATIONS = Number(options.simulations);
const wanted = (part, name) => (options.only === '' || options.only === part) && name.includes(options.name);

/** Rates between these are what chance allows with probability 0.99 when the truth is `p`. */
function band(p) {
  const quantile = (tail) => {
    let k = 0;
    while (binomial.cdf(k, SIMULATIONS, p) < tail) k++;
    return k / SIMULATIONS;
  };
  return [quantile(0.005), quantile(0.995)];
}

/** Share of simulated data sets for which `hit` holds; every scenario has its own stream of data sets. */
function rate(name, hit) {
  let seed = 17;
  for (const character of name) seed = (Math.imul(seed, 31) + character.codePointAt(0)) | 0;
  let hits = 0;
  for (let k = 0; k < SIMULATIONS; k++) hits += hit(new Simulation(seed, k)) ? 1 : 0;
  return hits / SIMULATIONS;
}

const percent = (value) => `${(100 * value).toFixed(2)} %`;
const started = process.cpuUsage();
const result = { simulations: SIMULATIONS, null: [], coverage: [], power: [] };

const [low, high] = band(0.05);
console.log(`type-I error at 5 %: 99 % band ${percent(low)} … ${percent(high)}`);
for (const { test, kind, n, claim, simulate, pValue } of nullScenarios()) {
  if (!wanted('null', test)) continue;
  const size = rate(`null ${kind} ${n}`, (simulation) => pValue(simulate(simulation)) <= 0.05);
  const variant = /^mcnemarTest (exact|midp|chi2)$/.exec(test)?.[1];
  // The size of McNemar's test on these data is known exactly: its power without an effect.
  const exactSize =
    variant === undefined
      ? undefined
      : power({ test: 'mcnemar', firstOnly: BINARY_DISCORDANCE, secondOnly: BINARY_DISCORDANCE, n, variant })
          .power;
  const [from, to] = exactSize === undefined ? [low, high] : band(exactSize);
  const holds = size <= to && (size >= from || (claim === 'at most' && exactSize === undefined));
  const conservative = size < low;
  result.null.push({
    test,
    kind,
    n,
    claim,
    size,
    ...(exactSize === undefined ? {} : { exactSize }),
    conservative,
    holds,
  });
  console.log(
    `${holds ? 'ok  ' : 'MISS'} ${percent(size)}  ${test}, ${kind}, n = ${n}${conservative ? ' (conservative)' : ''}${exactSize === undefined ? '' : ` (exact size ${percent(exactSize)})`}`,
  );
}

console.log('coverage of 95 % intervals: 93.5 … 96.5 %');
for (const { interval, kind, n, claim, covers } of coverageScenarios()) {
  if (!wanted('coverage', interval)) continue;
  const coverage = rate(`coverage ${interval} ${kind} ${n}`, covers);
  const inside = coverage >= 0.935 && coverage <= 0.965;
  const holds = claim === 'report' ? inside : inside || (claim === 'at least' && coverage >= 0.935);
  result.coverage.push({ interval, kind, n, claim, coverage, holds });
  console.log(
    `${holds ? 'ok  ' : claim === 'report' ? 'note' : 'MISS'} ${percent(coverage)}  ${interval}, ${kind}, n = ${n}`,
  );
}

console.log('power: simulated against power(), 99 % band');
for (const { test, effect, n, predicted, rejects } of powerScenarios()) {
  if (!wanted('power', test)) continue;
  const expected = predicted();
  const simulated = rate(`power ${test} ${effect} ${n}`, rejects);
  const [from, to] = band(expected);
  const holds = simulated >= from && simulated <= to;
  result.power.push({ test, effect, n, predicted: expected, simulated, holds });
  console.log(
    `${holds ? 'ok  ' : 'MISS'} ${percent(simulated)} for ${percent(expected)}  ${test}, ${effect}, n = ${n}`,
  );
}
const { user } = process.cpuUsage(started);
if (options.only === '' && options.name === '')
  save('stats-calibration', { cpuSeconds: Math.round(user / 1e6), ...result });
