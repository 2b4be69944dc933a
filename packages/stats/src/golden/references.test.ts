/**
 * Protects every deterministic result against scipy, statsmodels and enumeration (references.json, 1e-10), and against
 * values printed in the documentation of R and in papers (below, to their printed precision).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as stats from '../index.js';

interface Case {
  readonly call: string;
  readonly args: readonly unknown[];
  readonly want: Readonly<Record<string, number | string | boolean>>;
  readonly source: string;
}

const cases = JSON.parse(readFileSync(new URL('./references.json', import.meta.url), 'utf8')) as Case[];

/** `ci.low`, `adjusted.3` */
function at(result: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], result);
}

function expectClose(got: number, want: number, tolerance: number, label: string): void {
  expect(Math.abs(got - want), `${label}: ${got} for ${want}`).toBeLessThanOrEqual(tolerance);
}

/** `printed` as in the source: half a unit of its last digit is the tolerance. */
function expectPrinted(got: number, printed: string): void {
  const decimals = printed.includes('e') ? 0 : (printed.split('.')[1]?.length ?? 0);
  expectClose(got, Number(printed), 0.5000001 * 10 ** -decimals, 'printed value');
}

describe('scipy, statsmodels and enumeration', () => {
  const calls = [...new Set(cases.map((entry) => entry.call))];
  it.each(calls)('%s', (call) => {
    for (const { args, want, source } of cases.filter((entry) => entry.call === call)) {
      const run = stats[call as keyof typeof stats] as (...values: unknown[]) => unknown;
      const result = run(...args);
      for (const [path, value] of Object.entries(want)) {
        const expected = typeof value === 'string' ? Number(value) : value;
        const got = at(result, path);
        const label = `${call}(${JSON.stringify(args).slice(0, 120)}) ${path}, ${source}`;
        if (typeof expected === 'boolean' || !Number.isFinite(expected)) expect(got, label).toBe(expected);
        else expectClose(got as number, expected, 1e-10 * Math.max(Math.abs(expected), 1e-10), label);
      }
    }
  });

  it('holds at least 150 values', () => {
    expect(cases.reduce((sum, entry) => sum + Object.keys(entry.want).length, 0)).toBeGreaterThanOrEqual(150);
  });
});

describe('documentation of R', () => {
  it('t.test on the sleep data (Student 1908)', () => {
    const first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    const second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
    const welch = stats.independentTTest(first, second);
    expectPrinted(welch.statistic, '-1.8608');
    expectPrinted(welch.degreesOfFreedom, '17.776');
    expectPrinted(welch.pValue, '0.07939');
    expectPrinted(welch.ci.low, '-3.3654832');
    expectPrinted(welch.ci.high, '0.2054832');
    const paired = stats.pairedTTest(first, second);
    expectPrinted(paired.statistic, '-4.0621');
    expectPrinted(paired.pValue, '0.002833');
    expectPrinted(paired.ci.low, '-2.4598858');
    expectPrinted(paired.ci.high, '-0.7001142');
  });

  it('wilcox.test on the depression and the permeability data (Hollander & Wolfe 1973)', () => {
    const x = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3];
    const y = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
    const signed = stats.wilcoxonSignedRank(x, y, { alternative: 'greater' });
    expect(signed.statistic).toBe(40);
    expectPrinted(signed.pValue, '0.01953');
    const term = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
    const weeks = [1.15, 0.88, 0.9, 0.74, 1.21];
    const sum = stats.mannWhitneyU(term, weeks, { alternative: 'greater' });
    expect(sum.statistic).toBe(35);
    expectPrinted(sum.pValue, '0.1272');
  });

  it('binom.test on Mendel’s peas (Conover 1971)', () => {
    const interval = stats.clopperPearsonInterval(682, 925);
    expectPrinted(interval.low, '0.7076683');
    expectPrinted(interval.high, '0.7654066');
  });

  it('fisher.test on the tea tasting and the convictions of twins (Agresti 1990)', () => {
    const tea = stats.oddsRatio(
      [
        [3, 1],
        [1, 3],
      ],
      { method: 'exact', confidence: 0.9 },
    );
    // R's root search stops at about 1e-5, so fewer digits than it prints; scipy's are in references.json.
    expectPrinted(tea.oddsRatio, '6.4083');
    expectPrinted(tea.ci.low, '0.3136'); // one-sided 95 % in R
    const twins = stats.oddsRatio(
      [
        [2, 15],
        [10, 3],
      ],
      { method: 'exact' },
    );
    expectPrinted(twins.oddsRatio, '0.04694');
    expectPrinted(twins.ci.low, '0.0033');
    expectPrinted(twins.ci.high, '0.3632');
  });

  it('power.t.test and power.prop.test', () => {
    expectPrinted(stats.power({ test: 't-independent', effectSize: 1, n: 20 }).power, '0.86895');
    expect(stats.requiredSamples({ test: 't-independent', effectSize: 1, power: 0.9 }).n).toEqual([23, 23]); // 22.02110
    expect(
      stats.requiredSamples({ test: 't-independent', effectSize: 1, power: 0.9, alternative: 'greater' }).n,
    ).toEqual([18, 18]); // 17.84713
    const normal = { test: 'proportions', p1: 0.5, p2: 0.75, method: 'normal' } as const;
    expectPrinted(stats.power({ ...normal, n: 50 }).power, '0.74017');
    expect(stats.requiredSamples({ ...normal, power: 0.9 }).n).toEqual([77, 77]); // 76.7
  });

  it('cliff.delta of package effsize', () => {
    const delta = stats.cliffsDelta([10, 10, 20, 20, 20, 30, 30, 30, 40, 50], [10, 20, 30, 40, 40, 50]);
    expectPrinted(delta.delta, '-0.25');
    expectPrinted(delta.ci.low, '-0.7265846');
    expectPrinted(delta.ci.high, '0.3890062');
    expect(delta.interpretation).toBe('small');
  });

  it('power.exact.mcnemar of package pwrss', () => {
    expect(stats.requiredSamples({ test: 'mcnemar', firstOnly: 0.2, secondOnly: 0.1 }).n).toEqual([249]);
  });
});

describe('papers', () => {
  it('Newcombe (1998a), table I: one proportion', () => {
    const rows = [
      [81, 263, '0.2553', '0.3662', '0.2527', '0.3676', '0.2535', '0.3682'],
      [15, 148, '0.0624', '0.1605', '0.0578', '0.1617', '0.0598', '0.1644'],
      [0, 20, '0.0000', '0.1611', '0.0000', '0.1684', '0.0000', '0.2005'],
      [1, 29, '0.0061', '0.1718', '0.0009', '0.1776', '0.0018', '0.1963'],
    ] as const;
    for (const [x, n, low, high, exactLow, exactHigh, correctedLow, correctedHigh] of rows) {
      const wilson = stats.wilsonInterval(x, n);
      expectPrinted(wilson.low, low);
      expectPrinted(wilson.high, high);
      const exact = stats.clopperPearsonInterval(x, n);
      expectPrinted(exact.low, exactLow);
      expectPrinted(exact.high, exactHigh);
      const corrected = stats.wilsonInterval(x, n, { correction: true });
      expectPrinted(corrected.low, correctedLow);
      expectPrinted(corrected.high, correctedHigh);
    }
  });

  it('Newcombe (1998b), table II, method 10: difference of two proportions', () => {
    const rows = [
      [56, 70, 48, 80, '0.0524', '0.3339'],
      [9, 10, 3, 10, '0.1705', '0.8090'],
      [6, 7, 2, 7, '0.0582', '0.8062'],
      [5, 56, 0, 29, '-0.0381', '0.1926'],
      [0, 10, 0, 20, '-0.1611', '0.2775'],
      [0, 10, 0, 10, '-0.2775', '0.2775'],
      [10, 10, 0, 20, '0.6791', '1.0000'],
      [10, 10, 0, 10, '0.6075', '1.0000'],
    ] as const;
    for (const [successesA, nA, successesB, nB, low, high] of rows) {
      const { ci } = stats.riskDifference({ successesA, nA, successesB, nB });
      expectPrinted(ci.low, low);
      expectPrinted(ci.high, high);
    }
  });

  it('Fagerland, Lydersen & Laake (2013): McNemar on two data sets', () => {
    const airway = {
      table: [
        [1, 1],
        [7, 12],
      ],
    } as const;
    const response = {
      table: [
        [59, 6],
        [16, 80],
      ],
    } as const;
    const p = (data: stats.McNemarData, method: stats.McNemarMethod, correction = false): number =>
      stats.mcnemarTest(data, { method, correction }).pValue;
    expectPrinted(p(airway, 'chi2'), '0.034');
    expectPrinted(p(airway, 'chi2', true), '0.077');
    expectPrinted(p(airway, 'exact'), '0.070');
    expectPrinted(p(airway, 'midp'), '0.039');
    expectPrinted(p(response, 'chi2'), '0.033');
    expectPrinted(p(response, 'chi2', true), '0.055');
    expectPrinted(p(response, 'exact'), '0.052');
    expectPrinted(p(response, 'midp'), '0.035');
  });

  it('Cohen (1988), table 2.4.1: n per group for power 0.80 at two-sided 0.05', () => {
    for (const [effectSize, n] of [
      [0.2, 394],
      [0.5, 64],
      [0.8, 26],
    ] as const) {
      expect(stats.requiredSamples({ test: 't-independent', effectSize }).n[0]).toBe(n);
    }
  });

  it('Efron & Tibshirani (1993), 14.2: BCa for the variance of the spatial test data', () => {
    const spatial = [
      48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41,
    ];
    const variance = (x: Float64Array): number => {
      const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
      return x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
    };
    const interval = stats.bootstrapCI(spatial, { statistic: variance, confidence: 0.9, resamples: 20_000 });
    expectPrinted(interval.estimate, '171.5');
    expectPrinted(interval.acceleration, '0.061');
    // Printed from 2000 resamples, (115.8, 259.6): the Monte-Carlo error of the upper limit is about 3.
    expect(Math.abs(interval.low - 115.8)).toBeLessThan(4);
    expect(Math.abs(interval.high - 259.6)).toBeLessThan(9);
  });
});
