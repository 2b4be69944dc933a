import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Order, subsetIndices, takeSubset } from './subset.js';

/** A cheap permutation for the tests: multiplication by a number coprime to n. */
function order(n: number, multiplier: number): Order {
  let factor = multiplier;
  while (gcd(factor, n) !== 1) factor += 1;
  return { size: n, at: (place) => (place * factor) % n };
}
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

describe('seeded subset', () => {
  it('takes distinct items, as many as asked or as there are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 600 }), (n, samples) => {
        const chosen = subsetIndices(samples, order(n, 7));
        expect(new Set(chosen).size).toBe(Math.min(n, samples));
        expect(Math.max(...chosen)).toBeLessThan(n);
      }),
    );
  });

  it('gives nested subsets, so that sample scaling compares like with like', () => {
    const all = subsetIndices(null, order(97, 13));
    expect(subsetIndices(10, order(97, 13))).toEqual(all.slice(0, 10));
    expect([...all].sort((a, b) => a - b)).toEqual(Array.from({ length: 97 }, (_, i) => i));
  });

  it('refuses counts that mean nothing, and an order of another size', () => {
    expect(() => subsetIndices(0, order(5, 1))).toThrow('expected samples to be an integer ≥ 1, got 0');
    expect(() => subsetIndices(1.5, order(5, 1))).toThrow('got 1.5');
    expect(() => takeSubset(['a', 'b'], 1, order(3, 1))).toThrow(
      'expected an order of 2 items, got one of 3',
    );
  });
});
