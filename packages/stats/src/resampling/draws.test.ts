/** Protects the law of a resample (exactly multinomial) and the agreement of the two kernels. */
import { describe, expect, it } from 'vitest';
import { chiSquared } from '../distributions/index.js';
import { Purpose, seedStream } from '../random/index.js';
import { drawCounts, drawPlan, drawSum } from './draws.js';

/** Sizes on both sides of the blocked path, with and without a rest. */
const SIZES = [2, 5, 100, 1023, 1024, 1025, 2000, 5300];

describe('draws', () => {
  it.each(SIZES)('draws exactly %i of that many units, and the same ones in both kernels', (size) => {
    const plan = drawPlan(size);
    const values = Float64Array.from({ length: size + 3 }, (_, i) => Math.sin(i));
    const state = new Int32Array(4);
    for (let r = 0; r < 40; r++) {
      const counts = new Uint16Array(size + 3);
      seedStream(state, 11, Purpose.bootstrap, r);
      drawCounts(state, counts, 3, plan);
      const after = [...state];
      seedStream(state, 11, Purpose.bootstrap, r);
      const sum = drawSum(state, values, 3, plan);
      expect([...state]).toEqual(after);
      expect(counts.reduce((a, b) => a + b, 0)).toBe(size);
      expect(counts.subarray(0, 3).every((count) => count === 0)).toBe(true);
      const expected = counts.reduce((total, count, i) => total + count * values[i]!, 0);
      expect(sum).toBeCloseTo(expected, 9);
    }
  });

  it('more than two million units are drawn too', () => {
    const size = 2 ** 21 + 5;
    const plan = drawPlan(size);
    const state = new Int32Array(4);
    const counts = new Uint16Array(size);
    seedStream(state, 1, Purpose.bootstrap, 0);
    drawCounts(state, counts, 0, plan);
    expect(counts.reduce((a, b) => a + b, 0)).toBe(size);
    seedStream(state, 1, Purpose.bootstrap, 0);
    const values = Float64Array.from(counts, (_, i) => i % 3);
    const expected = counts.reduce((sum, count, i) => sum + count * values[i]!, 0);
    expect(drawSum(state, values, 0, plan)).toBe(expected);
  });

  it.each([100, 1100])('counts of %i units have multinomial variances and covariances', (size) => {
    const plan = drawPlan(size);
    const state = new Int32Array(4);
    const resamples = 4000;
    // Halves, a block border and the rest of the last block: group totals are binomial.
    const groups = [
      [0, size / 2],
      [200 % size, (200 % size) + 90],
      [size - 30, size],
    ] as const;
    for (const [from, to] of groups) {
      const p = (to - from) / size;
      let mean = 0;
      let squares = 0;
      for (let r = 0; r < resamples; r++) {
        const counts = new Uint16Array(size);
        seedStream(state, 3, Purpose.bootstrap, r);
        drawCounts(state, counts, 0, plan);
        const total = counts.subarray(from, to).reduce((a, b) => a + b, 0);
        mean += total / resamples;
        squares += (total - size * p) ** 2;
      }
      const variance = size * p * (1 - p);
      expect(Math.abs(mean - size * p)).toBeLessThan(4 * Math.sqrt(variance / resamples));
      // Σ (total − np)²/variance is near χ² with one degree of freedom per resample.
      expect(chiSquared.survival(squares / variance, resamples)).toBeGreaterThan(1e-4);
      expect(chiSquared.cdf(squares / variance, resamples)).toBeGreaterThan(1e-4);
    }
  });

  it('single units occur as often as a Poisson(1) limit says', () => {
    const size = 1300;
    const plan = drawPlan(size);
    const state = new Int32Array(4);
    const seen = new Float64Array(8);
    const resamples = 600;
    for (let r = 0; r < resamples; r++) {
      const counts = new Uint16Array(size);
      seedStream(state, 9, Purpose.bootstrap, r);
      drawCounts(state, counts, 0, plan);
      for (const count of counts) seen[Math.min(count, 7)]!++;
    }
    // Binomial(1300, 1/1300): 0.3677, 0.3680, 0.1840, …
    let mass = (1 - 1 / size) ** size;
    for (let k = 0; k < 5; k++) {
      expect(Math.abs(seen[k]! / (size * resamples) - mass)).toBeLessThan(0.003);
      mass *= (size - k) / (k + 1) / (size - 1);
    }
  });
});
