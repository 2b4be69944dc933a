/** Protects the treatment of seeds, clusters and tasks. Values are in golden/references.test.ts, coverage in bench/stats. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootstrapCI } from '../resampling/index.js';
import {
  clusteredStandardError,
  hierarchicalBootstrap,
  interquartileMean,
  probabilityOfImprovement,
  satterthwaite,
  seedComponent,
} from './index.js';

const wave = (n: number, k = 1): number[] =>
  Array.from({ length: n }, (_, i) => Math.sin((i + 1) * 12.9898 * k));

describe('clusteredStandardError', () => {
  it('is the naive error for single items and grows with what clusters share', () => {
    const values = wave(40);
    const single = clusteredStandardError(
      values,
      values.map((_, i) => i),
    );
    expect(single.standardError).toBeCloseTo(single.naiveStandardError, 14);
    expect(single.designEffect).toBeCloseTo(1, 12);
    const repeated = values.flatMap((x) => [x, x, x]);
    const shared = clusteredStandardError(
      repeated,
      values.flatMap((_, g) => [g, g, g]),
    );
    expect(shared.designEffect).toBeCloseTo((3 * 119) / 117, 1);
    expect(shared.degreesOfFreedom).toBe(39);
  });

  it('without correction is the formula of Miller (2024)', () => {
    const values = [1, 0, 1, 1, 0, 0];
    const clusters = ['a', 'a', 'b', 'b', 'c', 'c'];
    const mean = 0.5;
    let sum = 0;
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 6; j++)
        if (clusters[i] === clusters[j]) sum += (values[i]! - mean) * (values[j]! - mean);
    }
    const result = clusteredStandardError(values, clusters, { correction: false });
    expect(result.standardError).toBeCloseTo(Math.sqrt(sum) / 6, 14);
    expect(result.warnings[0]!.code).toBe('few-clusters');
  });

  it('names what is wrong', () => {
    expect(() => clusteredStandardError([1, 2], ['a'])).toThrow(
      'clusters: expected 2 labels, one for each item, got 1',
    );
    expect(() => clusteredStandardError([1, 2], ['a', 'a'])).toThrow(
      'clusters: expected at least 2 clusters, got 1',
    );
    expect(() => clusteredStandardError([1, 2], ['a', undefined as unknown as string])).toThrow(
      'clusters[1]: expected a string',
    );
  });
});

describe('hierarchicalBootstrap', () => {
  const rows = [0, 1, 2, 3].map((s) => wave(60, 1 + s / 7).map((x, i) => x + 0.3 * s + Math.cos(i)));

  it('has the mean of means as estimate and is seeded', () => {
    const result = hierarchicalBootstrap(rows, { resamples: 500 });
    const mean = rows.flat().reduce((sum, x) => sum + x, 0) / 240;
    expect(result.estimate).toBeCloseTo(mean, 12);
    expect(result.low).toBeLessThan(mean);
    expect(result.high).toBeGreaterThan(mean);
    expect(result.seeds).toEqual([4]);
    expect(result.n).toEqual([60]);
    expect(hierarchicalBootstrap(rows, { resamples: 500 })).toEqual(result);
    expect(result.seedShare).toBeGreaterThan(0.5);
  });

  it('has the variance that the two-way random-effects model gives', () => {
    const { standardError } = hierarchicalBootstrap(rows, { resamples: 20_000 });
    const [s, n] = [4, 60];
    const grand = rows.flat().reduce((sum, x) => sum + x, 0) / (s * n);
    const seedMeans = rows.map((row) => row.reduce((sum, x) => sum + x, 0) / n);
    const itemMeans = rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / s);
    const squares = (values: number[]): number => values.reduce((sum, x) => sum + (x - grand) ** 2, 0);
    const msSeeds = (n * squares(seedMeans)) / (s - 1);
    const msItems = (s * squares(itemMeans)) / (n - 1);
    let residual = 0;
    rows.forEach((row, k) => {
      row.forEach((x, i) => {
        residual += (x - seedMeans[k]! - itemMeans[i]! + grand) ** 2;
      });
    });
    const msError = residual / ((s - 1) * (n - 1));
    const expected = Math.sqrt((msSeeds + msItems - msError) / (s * n));
    expect(Math.abs(standardError / expected - 1)).toBeLessThan(0.03);
  });

  it('equal seeds add nothing: the interval is that of the items', () => {
    const row = wave(80);
    const result = hierarchicalBootstrap([row, row, row], { resamples: 4000 });
    expect(result.seedShare).toBe(0);
    const items = bootstrapCI(row, { resamples: 4000 });
    expect(Math.abs(result.standardError / items.standardError - 1)).toBeLessThan(0.03);
  });

  it('differences use the same items for both methods, each with its own seeds', () => {
    const difficulty = wave(100).map((x) => 5 * x);
    const method = (effect: number, k: number) =>
      [0, 1, 2].map((s) => difficulty.map((x, i) => x + effect + 0.2 * Math.sin(i * (s + k))));
    const data = { a: method(0.5, 1), b: method(0, 9) };
    const paired = hierarchicalBootstrap(data, { resamples: 1000 });
    expect(paired.estimate).toBeCloseTo(0.5, 1);
    expect(paired.high - paired.low).toBeLessThan(0.3);
    expect(paired.seeds).toEqual([3, 3]);
    const mirrored = hierarchicalBootstrap({ a: data.b, b: data.a }, { resamples: 1000 });
    expect(mirrored.estimate).toBeCloseTo(-paired.estimate, 12);
    const fixed = hierarchicalBootstrap({ a: data.a, b: [difficulty] }, { resamples: 200 });
    expect(fixed.warnings.some((warning) => warning.message.includes('deterministic'))).toBe(true);
  });

  it('clusters widen it, and the plain scheme is wider still', () => {
    const clusters = rows[0]!.map((_, i) => Math.floor(i / 6));
    const shifted = rows.map((row) => row.map((x, i) => x + Math.sin(clusters[i]! * 5)));
    const matched = hierarchicalBootstrap(shifted, { resamples: 2000, clusters });
    expect(matched.clusters).toEqual([10]);
    expect(matched.standardError).toBeGreaterThan(
      hierarchicalBootstrap(shifted, { resamples: 2000 }).standardError,
    );
    const plain = hierarchicalBootstrap(shifted, {
      resamples: 2000,
      clusters,
      scheme: 'plain',
      limits: 'percentile',
    });
    expect(plain.estimate).toBeCloseTo(matched.estimate, 12);
    expect(plain.warnings.map((warning) => warning.code)).toContain('small-sample');
  });

  it('names what is wrong', () => {
    expect(() => hierarchicalBootstrap([[1, 2, 3]])).toThrow('data: expected at least 2 seeds, got 1');
    expect(() => hierarchicalBootstrap([])).toThrow('data: expected at least 1 row (seed), got none');
    expect(() =>
      hierarchicalBootstrap([
        [1, 2],
        [1, 2, 3],
      ]),
    ).toThrow('data[1]: expected 2 items as in row 0, got 3');
    expect(() =>
      hierarchicalBootstrap([
        [1, 2],
        [1, Number.NaN],
      ]),
    ).toThrow('data[1][1]: expected a finite number');
    expect(() =>
      hierarchicalBootstrap({
        a: [
          [1, 2],
          [3, 4],
        ],
        b: [
          [1, 2, 3],
          [1, 2, 3],
        ],
      }),
    ).toThrow('data.b: expected rows of 2 items as in data.a, got 3');
  });
});

describe('variance components', () => {
  it('chance spread of seed means is not taken for a difference of seeds', () => {
    const unitOf = Int32Array.from({ length: 400 }, (_, i) => i);
    const rows = [1, 2, 3, 4, 5].map((s) => Float64Array.from(wave(400, s)));
    const component = seedComponent(rows, unitOf, 400);
    expect(component.variance).toBeLessThan(0.5 * component.weight);
    expect(component.scale).toBeLessThan(1);
  });

  it('Satterthwaite gives the single part back and lies between the extremes', () => {
    const part = { variance: 2, degreesOfFreedom: 7 };
    expect(satterthwaite([part])).toBeCloseTo(7, 12);
    expect(satterthwaite([part, { variance: 0, degreesOfFreedom: 3 }])).toBeCloseTo(7, 12);
    const mixed = satterthwaite([part, { variance: 1, degreesOfFreedom: 100 }]);
    expect(mixed).toBeGreaterThan(7);
    expect(mixed).toBeLessThan(107);
    expect(satterthwaite([])).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('aggregates over tasks', () => {
  const scores = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 2, maxLength: 8 });

  it('probability of improvement counts won pairs, and both directions sum to 1', () => {
    fc.assert(
      fc.property(scores, scores, scores, scores, (a1, b1, a2, b2) => {
        const forward = probabilityOfImprovement({ x: a1, y: a2 }, { y: b2, x: b1 }, { resamples: 50 });
        const back = probabilityOfImprovement({ x: b1, y: b2 }, { x: a1, y: a2 }, { resamples: 50 });
        expect(forward.probability + back.probability).toBeCloseTo(1, 12);
        const wins = (a: number[], b: number[]): number =>
          a.flatMap((x) => b.map((y) => (x > y ? 1 : x === y ? 0.5 : 0))).reduce<number>((p, q) => p + q, 0) /
          (a.length * b.length);
        expect(forward.probability).toBeCloseTo((wins(a1, b1) + wins(a2, b2)) / 2, 12);
        expect(forward.low).toBeGreaterThanOrEqual(0);
        expect(forward.high).toBeLessThanOrEqual(1);
      }),
      { numRuns: 40 },
    );
  });

  it('the interquartile mean ignores the outer quarters', () => {
    const result = interquartileMean({ a: [1, 2, 3, 100], b: [-50, 2, 3, 4] }, { resamples: 200 });
    expect(result.estimate).toBe((2 + 2 + 3 + 3) / 4);
    expect(result.method).toBe('percentile');
  });

  it('names what is wrong', () => {
    expect(() => interquartileMean({})).toThrow('scores: expected at least 1 task, got none');
    expect(() => interquartileMean({ a: [1, 2] })).toThrow('scores: expected at least 4 runs in all, got 2');
    expect(() => interquartileMean({ a: [1, Number.NaN] })).toThrow('scores.a[1]: expected a finite number');
    expect(() => probabilityOfImprovement({ x: [1] }, { y: [1] })).toThrow(
      "a: expected the tasks of b, got no 'y'",
    );
    expect(() => probabilityOfImprovement({ x: [1], y: [2] }, { x: [1] })).toThrow(
      "b: expected the tasks of a, got no 'y'",
    );
  });
});
