/** Protects the equality, bit for bit, of the assembled kernel and its definition. */
import { describe, expect, it } from 'vitest';
import { BATCH, columnKernel, interleave, lanesFor, paddedWidth, plainKernel } from './column-kernel.js';

describe('column kernel', () => {
  it.each([2, 3, 6, 8, 13, 42])('sums %i columns exactly as the plain loop does', (width) => {
    for (const units of [1, 255, 256, 700]) {
      const columns = Array.from({ length: width }, (_, k) =>
        Float64Array.from({ length: units }, (_, i) => Math.sin(i * (k + 1)) * 10 ** (i % 9)),
      );
      const packed = interleave(columns, (length) => new Float64Array(length));
      const fast = columnKernel(packed, width);
      const plain = plainKernel(packed, width);
      expect(fast.sum.toString()).not.toBe(plain.sum.toString());
      for (let i = 0; i < BATCH * units; i++) {
        plain.counts[i] = (i * 7919) % 5;
        fast.counts[i] = plain.counts[i]!;
      }
      for (const batch of [BATCH, 3]) {
        fast.sum(batch);
        plain.sum(batch);
        const used = batch * paddedWidth(width);
        expect(fast.sums.slice(0, used)).toEqual(plain.sums.slice(0, used));
      }
      const first = columns[width - 1]!.reduce((sum, value, i) => sum + value * plain.counts[i]!, 0);
      expect(plain.sums[width - 1]).toBeCloseTo(first, 3);
    }
  });

  it('pads as little as it can', () => {
    expect([2, 3, 4, 5, 6, 7, 8, 12, 42, 77].map(lanesFor)).toEqual([2, 4, 4, 6, 6, 8, 8, 6, 6, 6]);
    expect([5, 42, 77].map(paddedWidth)).toEqual([6, 42, 78]);
  });
});
