import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochOrder, KeyedPermutation, permute } from './permutation.js';
import { RandomRoot } from './streams.js';

const word = fc.integer({ min: 0, max: 0xffffffff });
const key = fc.tuple(word, word);

describe('KeyedPermutation', () => {
  it('is a bijection of [0, n) for every n and key, and indexOf undoes at', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), key, (n, k) => {
        const permutation = new KeyedPermutation(n, k);
        const seen = new Uint8Array(n);
        for (let i = 0; i < n; i++) {
          const j = permutation.at(i);
          seen[j]!++;
          if (permutation.indexOf(j) !== i) return false;
        }
        return seen.every((count) => count === 1);
      }),
      { numRuns: 60 },
    );
  });

  it('is a bijection at every small n and around powers of two', () => {
    for (const n of [...Array(70).keys(), 255, 256, 257, 511, 512, 513, 1023, 1024, 1025]) {
      const values = Array.from({ length: n }, (_, i) => permute(i, n, [1, 2]));
      expect(new Set(values).size).toBe(n);
      expect(values.every((value) => value < n)).toBe(true);
    }
  });

  it('inverts at 2^31, 2^32 ± 1 and 2^53 - 1 elements', () => {
    for (const n of [2 ** 31, 2 ** 32 - 1, 2 ** 32 + 1, 2 ** 53 - 1]) {
      const permutation = new KeyedPermutation(n, [3, 4]);
      const stream = new RandomRoot(0).stream(`probe-${n}`);
      const seen = new Set<number>();
      for (let trial = 0; trial < 500; trial++) {
        const i = stream.integerAt(trial, n);
        const j = permutation.at(i);
        expect(j).toBeLessThan(n);
        expect(permutation.indexOf(j)).toBe(i);
        seen.add(j);
      }
      expect(seen.size).toBeGreaterThan(498);
      expect(permutation.indexOf(permutation.at(n - 1))).toBe(n - 1);
    }
  });

  it('gives each of the n! orders equally often over keys (chi-square, n = 3 and 4)', () => {
    for (const [n, orders, limit] of [
      [3, 6, 25.7], // 5 degrees of freedom, p = 0.0001
      [4, 24, 60], // 23 degrees of freedom, p = 0.00004
    ] as const) {
      const trials = 3000;
      const counts = new Map<string, number>();
      for (let k = 0; k < trials; k++) {
        const permutation = new KeyedPermutation(n, [k, 99]);
        const order = Array.from({ length: n }, (_, i) => permutation.at(i)).join();
        counts.set(order, (counts.get(order) ?? 0) + 1);
      }
      const expected = trials / orders;
      const chiSquare = [...counts.values()].reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
      expect(counts.size).toBe(orders);
      expect(chiSquare).toBeLessThan(limit);
    }
  });

  it('sends every position to every element equally often (chi-square on a 40 × 40 table)', () => {
    const n = 40;
    const trials = 2000;
    const table = new Uint32Array(n * n);
    for (let k = 0; k < trials; k++) {
      const permutation = new KeyedPermutation(n, [5, k]);
      for (let i = 0; i < n; i++) table[i * n + permutation.at(i)]!++;
    }
    const expected = trials / n;
    const chiSquare = table.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    const freedom = (n - 1) ** 2;
    expect(Math.abs(chiSquare - freedom) / Math.sqrt(2 * freedom)).toBeLessThan(4);
  });

  it('leaves neighbours uncorrelated', () => {
    const n = 50_000;
    const permutation = new KeyedPermutation(n, [8, 9]);
    const values = Array.from({ length: n }, (_, i) => permutation.at(i));
    expect(Math.abs(correlation(values.slice(1), values.slice(0, -1)))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(correlation(values, [...values.keys()]))).toBeLessThan(4 / Math.sqrt(n));
  });

  it('refuses sizes and indices out of range', () => {
    for (const n of [-1, 0.5, 2 ** 53]) expect(() => new KeyedPermutation(n, [0, 0])).toThrow(/expected n/);
    for (const i of [-1, 5, 0.5, Number.NaN]) {
      expect(() => permute(i, 5, [0, 0])).toThrow('expected an index in [0, 5)');
    }
    expect(() => permute(0, 0, [0, 0])).toThrow('expected an index in [0, 0)');
  });
});

describe('epochOrder', () => {
  it('keeps its numbers: a change here would change the data order of every run', () => {
    const order = epochOrder(10, 42, 1);
    expect(Array.from({ length: 10 }, (_, i) => order.at(i)).join(' ')).toMatchInlineSnapshot(
      `"3 7 4 6 1 2 5 0 8 9"`,
    );
  });

  it('orders epochs and seeds independently', () => {
    const n = 20_000;
    const values = (seed: number, epoch: number) => {
      const order = epochOrder(n, seed, epoch);
      return Array.from({ length: n }, (_, i) => order.at(i));
    };
    const base = values(1, 0);
    for (const other of [values(1, 1), values(1, 2), values(2, 0)]) {
      expect(Math.abs(correlation(base, other))).toBeLessThan(4 / Math.sqrt(n));
      // Two unrelated permutations agree in one place on average (Poisson with mean 1).
      expect(base.filter((value, i) => value === other[i]).length).toBeLessThan(8);
    }
    expect(values(1, 0)).toEqual(base);
  });

  it('takes a stream of the caller in place of a seed', () => {
    const root = new RandomRoot(5);
    expect(epochOrder(100, root.stream('data-order'), 3).at(7)).toBe(epochOrder(100, 5, 3).at(7));
    expect(epochOrder(2 ** 31, root.stream('other'), 3).at(7)).not.toBe(epochOrder(2 ** 31, 5, 3).at(7));
  });
});

function correlation(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const meanX = mean(x);
  const meanY = mean(y);
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < x.length; i++) {
    xy += (x[i]! - meanX) * (y[i]! - meanY);
    xx += (x[i]! - meanX) ** 2;
    yy += (y[i]! - meanY) ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}
