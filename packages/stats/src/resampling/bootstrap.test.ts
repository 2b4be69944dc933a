/** Protects bootstrap limits (against scipy), the designs, and the behaviour on degenerate and wrong input. */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BootstrapMethod, bootstrapCI } from './bootstrap.js';
import type { StatisticName } from './statistic.js';

interface ScipyRow {
  readonly statistic: StatisticName;
  readonly data: string;
  readonly method: BootstrapMethod;
  readonly samples: number[][];
  readonly paired: boolean;
  readonly low: number;
  readonly high: number;
  readonly sdLow: number;
  readonly sdHigh: number;
  readonly standardError: number;
  readonly sdStandardError: number;
}

const golden = JSON.parse(readFileSync(new URL('./golden/bootstrap.json', import.meta.url), 'utf8')) as {
  rows: ScipyRow[];
};

describe('limits agree with scipy.stats.bootstrap at 100 000 resamples', () => {
  it.each(golden.rows)('$statistic of $data data, $method', (row) => {
    const [a, b] = row.samples;
    const data = b === undefined ? a! : { a: a!, b, paired: row.paired };
    const { statistic, method } = row;
    const got = bootstrapCI(data, { statistic, method, resamples: 100_000, seed: 3, threads: 1 });
    // Five standard deviations of one run, plus the error of the mean over scipy's 12 seeds; discrete limits may not move.
    const reach = (sd: number): number => 5 * Math.sqrt(sd * sd * (1 + 1 / 12)) + 1e-9;
    expect(Math.abs(got.low - row.low)).toBeLessThan(reach(row.sdLow));
    expect(Math.abs(got.high - row.high)).toBeLessThan(reach(row.sdHigh));
    expect(Math.abs(got.standardError - row.standardError)).toBeLessThan(reach(row.sdStandardError));
    expect(got.method).toBe(method);
  });
});

const wave = (n: number, shift = 0): number[] =>
  Array.from({ length: n }, (_, i) => Math.sin(3 * i + shift) + shift);

describe('one engine, several designs', () => {
  it('a function sees the same resamples as the named statistic', () => {
    for (const n of [40, 1500]) {
      const data = wave(n, 0.3);
      const named = bootstrapCI(data, { resamples: 300, threads: 1 });
      const own = bootstrapCI(data, {
        resamples: 300,
        statistic: (x) => x.reduce((sum, value) => sum + value, 0) / x.length,
      });
      expect(own.low).toBeCloseTo(named.low, 12);
      expect(own.high).toBeCloseTo(named.high, 12);
      expect(own.acceleration).toBeCloseTo(named.acceleration, 10);
      const iqm = (x: Float64Array): number => {
        const sorted = x.slice().sort();
        const cut = Math.floor(x.length / 4);
        const kept = sorted.subarray(cut, x.length - cut);
        return kept.reduce((sum, value) => sum + value, 0) / kept.length;
      };
      const named2 = bootstrapCI(data, { resamples: 100, statistic: 'iqm', method: 'percentile' });
      const own2 = bootstrapCI(data, { resamples: 100, statistic: iqm, method: 'percentile' });
      expect(own2.low).toBeCloseTo(named2.low, 12);
      expect(own2.high).toBeCloseTo(named2.high, 12);
    }
  });

  it('singleton clusters and a single stratum change nothing but rounding', () => {
    const data = wave(60);
    const plain = bootstrapCI(data, { resamples: 500 });
    const clusters = bootstrapCI(data, { resamples: 500, clusters: data.map((_, i) => `c${i}`) });
    const strata = bootstrapCI(data, { resamples: 500, strata: data.map(() => 's') });
    for (const other of [clusters, strata]) {
      expect(other.low).toBeCloseTo(plain.low, 12);
      expect(other.high).toBeCloseTo(plain.high, 12);
    }
    expect(clusters.clusters).toEqual([60]);
  });

  it('clusters of equal items widen the interval as if each were one item', () => {
    const base = wave(50, 1);
    const repeated = base.flatMap((value) => [value, value, value, value]);
    const clusters = base.flatMap((_, g) => [g, g, g, g]);
    const single = bootstrapCI(base, { resamples: 2000 });
    const clustered = bootstrapCI(repeated, { resamples: 2000, clusters });
    const ignoring = bootstrapCI(repeated, { resamples: 2000 });
    expect(clustered.low).toBeCloseTo(single.low, 12);
    expect(clustered.high).toBeCloseTo(single.high, 12);
    expect(clustered.high - clustered.low).toBeGreaterThan(1.7 * (ignoring.high - ignoring.low));
  });

  it('strata remove the variation between them', () => {
    const data = [...wave(30), ...wave(30).map((value) => value + 100)];
    const strata = data.map((_, i) => (i < 30 ? 'low' : 'high'));
    const free = bootstrapCI(data, { resamples: 1000 });
    const kept = bootstrapCI(data, { resamples: 1000, strata });
    expect(kept.standardError).toBeLessThan(free.standardError / 20);
  });

  it('two samples move independently, pairs together', () => {
    const a = wave(80, 0.5);
    const b = a.map((value) => value - 0.2 + 0.01 * Math.cos(40 * value));
    const paired = bootstrapCI({ a, b, paired: true }, { resamples: 1000 });
    const apart = bootstrapCI({ a, b, paired: false }, { resamples: 1000 });
    expect(paired.estimate).toBeCloseTo(apart.estimate, 12);
    expect(paired.standardError).toBeLessThan(apart.standardError / 5);
    expect(paired.n).toEqual([80]);
    expect(apart.n).toEqual([80, 80]);
    const clustered = bootstrapCI(
      { a, b, paired: false },
      { resamples: 200, clusters: { a: a.map((_, i) => i >> 1), b: b.map((_, i) => i >> 2) } },
    );
    expect(clustered.clusters).toEqual([40, 20]);
  });

  it('studentised limits work by formula and by an inner bootstrap', () => {
    const data = wave(40, 0.2).map((value) => Math.exp(value));
    const formula = bootstrapCI(data, { method: 'studentized', resamples: 2000 });
    const inner = bootstrapCI(data, {
      method: 'studentized',
      resamples: 500,
      innerResamples: 40,
      statistic: (x) => x.reduce((sum, value) => sum + value, 0) / x.length,
    });
    expect(Math.abs(formula.low - inner.low)).toBeLessThan(0.2 * (formula.high - formula.low));
    const std = bootstrapCI(data, { method: 'studentized', resamples: 500, statistic: 'std' });
    expect(std.low).toBeLessThan(std.estimate);
    expect(std.high).toBeGreaterThan(std.estimate);
    const pairedStd = bootstrapCI(
      { a: data, b: wave(40), paired: true },
      { method: 'studentized', resamples: 100, innerResamples: 20, statistic: 'std' },
    );
    expect(pairedStd.low).toBeLessThan(pairedStd.high);
  });

  it('seeds decide, and only they', () => {
    const data = wave(100);
    const one = bootstrapCI(data, { resamples: 200, seed: 1 });
    expect(bootstrapCI(data, { resamples: 200, seed: 1 })).toEqual(one);
    expect(bootstrapCI(data, { resamples: 200, seed: 2 }).low).not.toBe(one.low);
    expect(bootstrapCI(data, { resamples: 200, seed: 1 + 2 ** 32 }).low).not.toBe(one.low);
  });
});

describe('degenerate data have defined results', () => {
  it('constant data give a point and a warning', () => {
    for (const statistic of ['mean', 'median', 'std', 'iqm'] as const) {
      const result = bootstrapCI([0.7, 0.7, 0.7], { statistic, resamples: 50 });
      expect(result.low).toBe(result.estimate);
      expect(result.high).toBe(result.estimate);
      expect(result.warnings.map((warning) => warning.code)).toContain('constant-data');
    }
  });

  it('BCa falls back to percentile limits where it is not defined, and says so', () => {
    // Repeats raise this statistic, and every resample has some: all of them lie above the estimate.
    const repeats = bootstrapCI([5, 6, 7, 8, 9, 12], {
      statistic: (x) =>
        x.reduce((sum, value) => sum + value, 0) / x.length - 100 * (new Set(x).size / x.length),
      resamples: 30,
    });
    expect(repeats.method).toBe('percentile');
    expect(repeats.warnings.map((warning) => warning.code)).toContain('degenerate-correction');
    expect(Number.isFinite(repeats.low) && Number.isFinite(repeats.high)).toBe(true);
    // A jackknife without variation.
    const flat = bootstrapCI([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1], {
      statistic: 'median',
      resamples: 500,
    });
    expect(flat.warnings.map((warning) => warning.code)).toContain('degenerate-correction');
  });

  it('resamples without a value are counted and left out', () => {
    const result = bootstrapCI([1, 2, 3, 4, 5, 6], {
      statistic: (x) => (x.includes(6) ? x.reduce((sum, value) => sum + value) / x.length : Number.NaN),
      resamples: 300,
      method: 'percentile',
    });
    expect(result.warnings.map((warning) => warning.code)).toContain('undefined-resamples');
    expect(Number.isNaN(result.low)).toBe(false);
    const never = bootstrapCI([1, 2, 3], {
      statistic: () => Number.NaN,
      resamples: 20,
      method: 'percentile',
    });
    expect(never.low).toBeNaN();
    expect(never.warnings.map((warning) => warning.code)).toContain('undefined-resamples');
  });

  it('warns about few items, few clusters and few resamples', () => {
    const codes = (options: object): string[] =>
      bootstrapCI(wave(12), { resamples: 50, ...options }).warnings.map((warning) => warning.code);
    expect(codes({})).toEqual(['small-sample', 'few-resamples']);
    expect(codes({ clusters: wave(12).map((_, i) => i % 3), resamples: 500 })).toEqual(['few-clusters']);
    expect(codes({ method: 'studentized', resamples: 500 })).toEqual([]);
  });
});

describe('wrong input names argument and index', () => {
  it.each([
    [() => bootstrapCI([]), 'data: expected at least 2 values, got none'],
    [() => bootstrapCI([1]), 'data: expected at least 2 values, got 1'],
    [() => bootstrapCI([1, Number.NaN, 3]), 'data[1]: expected a finite number, got NaN'],
    [() => bootstrapCI([1, 'x' as unknown as number]), 'data[1]: expected a finite number, got "x"'],
    [() => bootstrapCI(7 as unknown as number[]), 'data: expected an array, got 7'],
    [
      () => bootstrapCI({ a: [1, 2], b: [1, 2, 3], paired: true }),
      'data.b: expected 2 values, one for each of data.a, got 3',
    ],
    [
      () => bootstrapCI([1, 2], { confidence: 1 }),
      'options.confidence: expected a number strictly between 0 and 1, got 1',
    ],
    [
      () => bootstrapCI([1, 2], { resamples: 0 }),
      'options.resamples: expected an integer of at least 1, got 0',
    ],
    [() => bootstrapCI([1, 2], { seed: 0.5 }), 'options.seed: expected an integer'],
    [() => bootstrapCI([1, 2], { threads: 0 }), 'options.threads: expected an integer of at least 1, got 0'],
    [
      () => bootstrapCI([1, 2], { method: 'bc' as 'bca' }),
      "options.method: expected one of 'bca', 'percentile'",
    ],
    [
      () => bootstrapCI([1, 2], { statistic: 'mode' as 'mean' }),
      "options.statistic: expected 'mean', 'median'",
    ],
    [
      () => bootstrapCI([1, 2, 3], { clusters: [1, 2] }),
      'options.clusters: expected 3 labels, one for each item, got 2',
    ],
    [
      () => bootstrapCI([1, 2, 3], { clusters: [1, 1, 1] }),
      'options.clusters: expected at least 2 clusters, got 1',
    ],
    [
      () => bootstrapCI([1, 2, 3, 4], { clusters: ['x', 'x', 'y', 'y'], strata: [1, 2, 2, 2] }),
      'options.strata[1]: expected every cluster inside one stratum, got cluster x in strata 1 and 2',
    ],
    [
      () => bootstrapCI({ a: [1, 2], b: [3, 4], paired: false }, { clusters: [1, 2] }),
      'options.clusters: expected {a: labels, b: labels} for two independent samples',
    ],
    [
      () => bootstrapCI([1, 2], { strata: { a: [1, 1], b: [1, 1] } }),
      'options.strata: expected one array of labels, got {a, b}',
    ],
  ])('%s', (run, message) => {
    expect(run).toThrow(message);
  });
});

describe('invariances', () => {
  const grid = fc.integer({ min: -800, max: 800 }).map((value) => value / 8);
  const numbers = fc.array(grid, { minLength: 5, maxLength: 30 });
  const methods = fc.constantFrom<BootstrapMethod>('bca', 'percentile', 'basic', 'studentized');

  it('shifting and scaling the data shift and scale the limits', () => {
    fc.assert(
      fc.property(numbers, methods, fc.double({ min: 0.5, max: 4, noNaN: true }), (data, method, scale) => {
        const plain = bootstrapCI(data, { resamples: 60, method });
        const moved = bootstrapCI(
          data.map((value) => scale * value + 10),
          { resamples: 60, method },
        );
        const spread = 1e-7 * (1 + Math.abs(plain.high - plain.low) + 100 * scale);
        expect(Math.abs(moved.low - (scale * plain.low + 10))).toBeLessThan(spread);
        expect(Math.abs(moved.high - (scale * plain.high + 10))).toBeLessThan(spread);
      }),
      { numRuns: 60 },
    );
  });

  it('swapping paired samples mirrors the interval', () => {
    fc.assert(
      fc.property(numbers, (data) => {
        const other = data.map((value, i) => value * 0.5 + Math.sin(i));
        const forward = bootstrapCI(
          { a: data, b: other, paired: true },
          { resamples: 99, method: 'percentile' },
        );
        const back = bootstrapCI(
          { a: other, b: data, paired: true },
          { resamples: 99, method: 'percentile' },
        );
        expect(back.low).toBeCloseTo(-forward.high, 9);
        expect(back.high).toBeCloseTo(-forward.low, 9);
      }),
      { numRuns: 40 },
    );
  });
});
