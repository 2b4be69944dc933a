/**
 * Protects the calibration on a small scale: fixed seeds, so these are not gambles but records. The full run, 2000 data
 * sets per row, is bench/stats/calibration.mjs with its result in bench/results/stats-calibration.json.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { binomial } from '../distributions/index.js';
import { mcnemarTest } from '../hypothesis/index.js';
import { power } from '../power/index.js';
import {
  BINARY_DISCORDANCE,
  coverageScenarios,
  nullScenarios,
  pairedData,
  powerScenarios,
  Simulation,
} from './index.js';

const SIMULATIONS = 200;

/** Counts of a Binomial(SIMULATIONS, p) that chance allows with probability 0.999. */
function allowed(p: number): [number, number] {
  const quantile = (tail: number): number => {
    let k = 0;
    while (binomial.cdf(k, SIMULATIONS, p) < tail) k++;
    return k;
  };
  return [quantile(0.0005), quantile(0.9995)];
}

function count(seed: number, hit: (simulation: Simulation) => boolean): number {
  let hits = 0;
  for (let k = 0; k < SIMULATIONS; k++) hits += hit(new Simulation(seed, k)) ? 1 : 0;
  return hits;
}

describe('rejection rate without an effect', () => {
  const [low, high] = allowed(0.05);
  const scenarios = nullScenarios([20, 100]).filter(({ test }) => !test.startsWith('compare'));

  it.each(scenarios)('$test, $kind, n = $n', ({ claim, simulate, pValue }) => {
    const rejected = count(101, (simulation) => pValue(simulate(simulation)) <= 0.05);
    expect(rejected).toBeLessThanOrEqual(high);
    if (claim === 'level') expect(rejected).toBeGreaterThanOrEqual(low);
  });
});

describe('coverage of 95 % intervals', () => {
  const scenarios = coverageScenarios([50]).filter(
    ({ claim, interval }) => claim !== 'report' && !/hierarchical|percentile|basic/.test(interval),
  );

  it.each(scenarios)('$interval, $kind, n = $n', ({ covers, claim }) => {
    const covered = count(202, covers);
    expect(covered).toBeGreaterThanOrEqual(allowed(0.945)[0]);
    if (claim === 'level') expect(covered).toBeLessThanOrEqual(allowed(0.955)[1]);
  });
});

describe('simulated power', () => {
  it.each(powerScenarios().filter(({ n }) => n <= 100))(
    '$test, $effect, n = $n',
    ({ predicted, rejects }) => {
      const [low, high] = allowed(predicted());
      const rejected = count(303, rejects);
      expect(rejected).toBeGreaterThanOrEqual(low);
      expect(rejected).toBeLessThanOrEqual(high);
    },
  );
});

describe('known sizes', () => {
  it('McNemar’s tests reject as often as the sum over all outcomes says', () => {
    for (const method of ['exact', 'midp', 'chi2'] as const) {
      const size = power({
        test: 'mcnemar',
        firstOnly: BINARY_DISCORDANCE,
        secondOnly: BINARY_DISCORDANCE,
        n: 60,
        variant: method,
      }).power;
      const [low, high] = allowed(size);
      const groundTruth = new Array<number>(60).fill(1);
      const rejected = count(404, (simulation) => {
        const { a, b } = pairedData('binary', 60, simulation);
        return mcnemarTest({ predictionsA: a, predictionsB: b, groundTruth }, { method }).pValue <= 0.05;
      });
      expect(rejected).toBeGreaterThanOrEqual(low);
      expect(rejected).toBeLessThanOrEqual(high);
    }
  });
});

describe('the saved full run', () => {
  interface Saved {
    readonly simulations: number;
    readonly null: { test: string; kind: string; n: number; holds: boolean; size: number }[];
    readonly coverage: { interval: string; claim: string; coverage: number; holds: boolean }[];
    readonly power: { holds: boolean }[];
  }

  const file = new URL('../../../../bench/results/stats-calibration.json', import.meta.url);

  // The full run takes an hour and a half of one core (`node bench/stats/calibration.mjs`); until it is saved, the
  // reduced run above is all there is.
  it.skipIf(!existsSync(file))('covers every scenario of today’s code', () => {
    const saved = JSON.parse(readFileSync(file, 'utf8')) as Saved;
    expect(saved.simulations).toBeGreaterThanOrEqual(2000);
    const name = (entry: { test: string; kind: string; n: number }): string =>
      `${entry.test}, ${entry.kind}, ${entry.n}`;
    expect(saved.null.map(name).sort()).toEqual(nullScenarios().map(name).sort());
    expect(saved.coverage).toHaveLength(coverageScenarios().length);
    expect(saved.power).toHaveLength(powerScenarios().length);
    expect(saved.null.filter(({ holds }) => !holds)).toEqual([]);
    expect(saved.power.filter(({ holds }) => !holds)).toEqual([]);
    expect(saved.coverage.filter(({ claim, holds }) => claim !== 'report' && !holds)).toEqual([]);
  });
});
