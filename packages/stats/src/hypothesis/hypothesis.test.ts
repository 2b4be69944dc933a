/** Protects what every test promises: invariances, agreement between exact and random forms, degenerate data, errors. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binomial } from '../distributions/index.js';
import {
  type Alternative,
  independentTTest,
  mannWhitneyU,
  mcnemarTest,
  pairedBootstrapTest,
  pairedTTest,
  permutationTest,
  type TestResult,
  wilcoxonSignedRank,
} from './index.js';

type TwoSampleTest = (a: number[], b: number[], alternative: Alternative) => TestResult;

const PAIRED: Record<string, TwoSampleTest> = {
  pairedTTest: (a, b, alternative) => pairedTTest(a, b, { alternative }),
  wilcoxonSignedRank: (a, b, alternative) => wilcoxonSignedRank(a, b, { alternative }),
  'permutationTest, exact': (a, b, alternative) => permutationTest(a, b, { alternative, method: 'exact' }),
  'permutationTest, randomized': (a, b, alternative) =>
    permutationTest(a, b, { alternative, method: 'randomized', resamples: 499 }),
  pairedBootstrapTest: (a, b, alternative) => pairedBootstrapTest(a, b, { alternative, resamples: 499 }),
};

const INDEPENDENT: Record<string, TwoSampleTest> = {
  'independentTTest, Welch': (a, b, alternative) => independentTTest(a, b, { alternative }),
  'independentTTest, Student': (a, b, alternative) =>
    independentTTest(a, b, { alternative, equalVariance: true }),
  mannWhitneyU: (a, b, alternative) => mannWhitneyU(a, b, { alternative }),
  'mannWhitneyU, normal': (a, b, alternative) => mannWhitneyU(a, b, { alternative, method: 'normal' }),
  'permutationTest, two-sample': (a, b, alternative) => permutationTest(a, b, { alternative, paired: false }),
};

/** Multiples of 1/8 are exact in binary: sums do not depend on their order. */
const value = fc.integer({ min: -80, max: 80 }).map((k) => k / 8);
const pairs = fc.array(fc.tuple(value, value), { minLength: 2, maxLength: 9 });
const split = (rows: [number, number][]): [number[], number[]] => [
  rows.map((r) => r[0]),
  rows.map((r) => r[1]),
];

describe.each(Object.entries({ ...PAIRED, ...INDEPENDENT }))('%s', (name, test) => {
  it('gives p-values in [0, 1] and never NaN', () => {
    fc.assert(
      fc.property(
        pairs,
        fc.constantFrom<Alternative>('two-sided', 'less', 'greater'),
        (rows, alternative) => {
          const { pValue, statistic } = test(...split(rows), alternative);
          expect(pValue).toBeGreaterThanOrEqual(0);
          expect(pValue).toBeLessThanOrEqual(1);
          expect(Number.isNaN(statistic)).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('does not change when both samples are shifted and scaled', () => {
    fc.assert(
      fc.property(
        pairs,
        fc.integer({ min: -9, max: 9 }),
        fc.constantFrom(0.5, 2, 16),
        (rows, shift, scale) => {
          const [a, b] = split(rows);
          const move = (x: number): number => scale * x + shift;
          const plain = test(a, b, 'two-sided').pValue;
          expect(test(a.map(move), b.map(move), 'two-sided').pValue).toBeCloseTo(plain, 9);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('mirrors when the samples swap', () => {
    fc.assert(
      fc.property(pairs, (rows) => {
        const [a, b] = split(rows);
        expect(test(b, a, 'two-sided').pValue).toBeCloseTo(test(a, b, 'two-sided').pValue, 9);
        expect(test(b, a, 'less').pValue).toBeCloseTo(test(a, b, 'greater').pValue, 9);
      }),
      // Random arrangements of swapped independent samples are other arrangements; paired ones mirror exactly.
      { numRuns: name.startsWith('permutationTest, two') ? 20 : 40 },
    );
  });

  it('does not depend on the order of the items', () => {
    // Random resamples see another order as other data; there the claim is about the exact tests.
    if (name.includes('Bootstrap') || name.includes('randomized')) return;
    fc.assert(
      fc.property(pairs, (rows) => {
        const plain = test(...split(rows), 'two-sided').pValue;
        expect(test(...split([...rows].reverse()), 'two-sided').pValue).toBeCloseTo(plain, 9);
      }),
      { numRuns: 40 },
    );
  });

  it('finds nothing between equal samples and something between separate ones', () => {
    const a = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    expect(test(a, a, 'two-sided').pValue).toBe(1);
    const far = a.map((x, i) => x + 20 + (i % 3));
    expect(test(a, far, 'two-sided').pValue).toBeLessThan(0.01);
    expect(test(a, far, 'less').pValue).toBeLessThan(0.01);
    expect(test(a, far, 'greater').pValue).toBeGreaterThan(0.99);
  });

  it('names argument and index of wrong input', () => {
    expect(() => test([], [], 'two-sided')).toThrow(/a: expected at least \d values?, got none/);
    expect(() => test([1, 2, Number.NaN], [1, 2, 3], 'two-sided')).toThrow(
      'a[2]: expected a finite number, got NaN',
    );
    expect(() => test([1, 2, 3], [1, Number.POSITIVE_INFINITY, 3], 'two-sided')).toThrow(
      'b[1]: expected a finite',
    );
    expect(() => test([1, 2, 3], [1, 2, 3], 'both' as Alternative)).toThrow(
      'options.alternative: expected one of',
    );
    if (name in PAIRED) expect(() => test([1, 2, 3], [1, 2], 'two-sided')).toThrow(/b: expected 3 values/);
  });
});

const noise = (n: number, seed: number): number[] =>
  Array.from({ length: n }, (_, i) => Math.sin((i + 1) * (12.9898 + seed)) * 2);

describe('tests that know clusters', () => {
  it('treat clusters of identical items as single items', () => {
    const a = noise(14, 1).map((x) => x + 0.8);
    const b = noise(14, 2);
    const thrice = (x: number[]): number[] => x.flatMap((entry) => [entry, entry, entry]);
    const clusters = thrice(a.map((_, i) => i));
    const repeated = [thrice(a), thrice(b)] as const;
    expect(pairedTTest(...repeated, { clusters }).pValue).toBeCloseTo(pairedTTest(a, b).pValue, 12);
    expect(permutationTest(...repeated, { clusters }).pValue).toBeCloseTo(permutationTest(a, b).pValue, 12);
    expect(pairedBootstrapTest(...repeated, { clusters, resamples: 400 }).pValue).toBe(
      pairedBootstrapTest(a, b, { resamples: 400 }).pValue,
    );
    const sides = { a: clusters, b: clusters };
    expect(independentTTest(...repeated, { clusters: sides }).pValue).toBeCloseTo(
      independentTTest(a, b).pValue,
      12,
    );
    const shuffle = { paired: false, method: 'randomized', resamples: 500 } as const;
    expect(permutationTest(...repeated, { ...shuffle, clusters: sides }).pValue).toBe(
      permutationTest(a, b, shuffle).pValue,
    );
    expect(pairedTTest(...repeated).pValue).toBeLessThan(pairedTTest(a, b).pValue);
  });
});

describe('paired bootstrap', () => {
  it('is centred under H0: the stronger the effect the smaller p, and p is never zero', () => {
    const b = noise(300, 3);
    const at = (effect: number): number =>
      pairedBootstrapTest(
        b.map((x, i) => x + effect + 0.5 * Math.cos(7 * i)),
        b,
        { resamples: 2000 },
      ).pValue;
    expect(at(0)).toBeGreaterThan(0.5);
    expect(at(0.06)).toBeLessThan(0.2);
    expect(at(0.5)).toBe(1 / 2001);
  });

  it('agrees with the t test on well-behaved data, in both forms', () => {
    const b = noise(400, 5);
    const a = b.map((x, i) => x + 0.05 + 0.5 * Math.cos(11 * i));
    const t = pairedTTest(a, b).pValue;
    for (const statistic of ['studentized', 'difference'] as const) {
      const { pValue, ci } = pairedBootstrapTest(a, b, { statistic, resamples: 20_000 });
      expect(Math.abs(pValue - t)).toBeLessThan(0.012);
      const expected = pairedTTest(a, b).ci;
      expect(Math.abs(ci.low - expected.low)).toBeLessThan(0.005);
      expect(Math.abs(ci.high - expected.high)).toBeLessThan(0.005);
    }
  });

  it('answers for constant differences and warns', () => {
    const result = pairedBootstrapTest([1, 2, 3], [0.5, 1.5, 2.5], { resamples: 99 });
    expect(result.pValue).toBe(0.01);
    expect(result.warnings.map((warning) => warning.code)).toEqual([
      'constant-data',
      'small-sample',
      'few-resamples',
    ]);
  });
});

describe('permutation tests', () => {
  it('random arrangements agree with all of them', () => {
    const a = noise(10, 7).map((x) => x + 0.9);
    const b = noise(10, 8);
    for (const paired of [true, false]) {
      const exact = permutationTest(a, b, { paired, method: 'exact' });
      expect(exact.arrangements).toBe(paired ? 1024 : 184_756);
      const random = permutationTest(a, b, { paired, method: 'randomized', resamples: 40_000 });
      expect(Math.abs(exact.pValue - random.pValue)).toBeLessThan(0.012);
    }
  });

  it('a statistic of one’s own sees the same arrangements as the mean', () => {
    const mean = (x: Float64Array): number => x.reduce((sum, entry) => sum + entry, 0) / x.length;
    const own = (x: Float64Array, y: Float64Array): number => mean(x) - mean(y);
    const a = [3, 5, 1, 8, 2];
    const b = [2, 2, 0, 5, 3];
    for (const paired of [true, false]) {
      const named = permutationTest(a, b, { paired });
      const custom = permutationTest(a, b, { paired, statistic: own });
      expect(custom.pValue).toBeCloseTo(named.pValue, 12);
      expect(custom.arrangements).toBe(named.arrangements);
      const random = permutationTest(a, b, { paired, statistic: own, method: 'randomized', resamples: 4000 });
      expect(Math.abs(random.pValue - named.pValue)).toBeLessThan(0.04);
    }
    expect(() => permutationTest(a, b, { statistic: () => Number.NaN })).toThrow(
      'options.statistic: expected a finite',
    );
  });

  it('refuses to enumerate what is too large', () => {
    expect(() => permutationTest(noise(30, 1), noise(30, 2), { method: 'exact' })).toThrow(
      "options.method: expected at most 2^20 arrangements for 'exact', got 1.07e+9",
    );
  });
});

describe('McNemar', () => {
  it('counts predictions against the truth', () => {
    const result = mcnemarTest({
      predictionsA: ['x', 'y', 'y', 'z', 'x'],
      predictionsB: ['x', 'x', 'y', 'x', 'z'],
      groundTruth: ['x', 'y', 'x', 'x', 'z'],
    });
    expect(result.table).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(result.variant).toBe('exact');
    expect(result.n).toEqual([5]);
  });

  it('is exact below 25 discordant items and mid-p from there on', () => {
    const table = (b: number, c: number) => ({
      table: [
        [50, b],
        [c, 50],
      ] as const,
    });
    expect(mcnemarTest(table(20, 4)).variant).toBe('exact');
    expect(mcnemarTest(table(20, 5)).variant).toBe('midp');
    expect(mcnemarTest(table(0, 0)).pValue).toBe(1);
    expect(mcnemarTest(table(0, 0)).oddsRatio).toBeNaN();
    expect(mcnemarTest(table(0, 0)).warnings[0]!.code).toBe('constant-data');
  });

  it('the interval of the odds ratio excludes 1 exactly when its test rejects', () => {
    const count = fc.integer({ min: 0, max: 40 });
    fc.assert(
      fc.property(count, count, fc.constantFrom('exact', 'midp', 'chi2'), (b, c, method) => {
        fc.pre(b + c > 0);
        const table = [
          [5, b],
          [c, 5],
        ] as const;
        const { pValue, ci } = mcnemarTest({ table }, { method: method as 'exact', correction: false });
        fc.pre(Math.abs(pValue - 0.05) > 1e-9);
        expect(ci.low > 1 || ci.high < 1).toBe(pValue < 0.05);
      }),
      { numRuns: 200 },
    );
  });

  it('one-sided exact p-values are binomial tails', () => {
    const table = [
      [0, 12],
      [5, 0],
    ] as const;
    const greater = mcnemarTest({ table }, { method: 'exact', alternative: 'greater' });
    expect(greater.pValue).toBeCloseTo(binomial.survival(11, 17, 0.5), 14);
  });

  it('names what is wrong with its data', () => {
    expect(() => mcnemarTest({ table: [[1, 2]] as never })).toThrow(
      'data.table: expected a 2 × 2 array of counts',
    );
    expect(() =>
      mcnemarTest({
        table: [
          [1, -2],
          [3, 4],
        ],
      }),
    ).toThrow('data.table[0][1]: expected an integer of at least 0, got -2');
    expect(() => mcnemarTest({ predictionsA: [1], predictionsB: [1, 2], groundTruth: [1, 2] })).toThrow(
      'data.predictionsA: expected 2 values, one for each of groundTruth, got 1',
    );
    expect(() => mcnemarTest({ predictionsA: [1], predictionsB: [1], groundTruth: [undefined] })).toThrow(
      'data.groundTruth[0]: expected a label, got undefined',
    );
    expect(() => mcnemarTest({ predictionsA: [], predictionsB: [], groundTruth: [] })).toThrow(
      'data.groundTruth',
    );
  });
});

describe('rank tests', () => {
  it('differences that differ only by rounding are ties', () => {
    // 0.3 − 0.2, 0.2 − 0.1 and 0.1 − 0 are three different doubles.
    const tied = wilcoxonSignedRank([0.3, 0.2, 0.1, 5], [0.2, 0.1, 0, 6]);
    expect(tied.statistic).toBe(6);
    const whole = wilcoxonSignedRank([3, 2, 1, 50], [2, 1, 0, 60]);
    expect(tied.pValue).toBe(whole.pValue);
  });

  it('limits of the exact tests are stated', () => {
    expect(() => wilcoxonSignedRank(noise(60, 1), noise(60, 2), { method: 'exact' })).toThrow(
      'at most 52 non-zero',
    );
    expect(() => mannWhitneyU(noise(30, 1), noise(30, 2), { method: 'exact' })).toThrow(
      'at most 50 values in all',
    );
  });
});
