/** Protects the equality, bit for bit, of the assembled kernel and its definition. */
import { describe, expect, it } from 'vitest';
import { BATCH, plainKernel, TILE, tileKernel } from './tile-kernel.js';

describe('tile kernel', () => {
  it.each([2, 4, 8])('adds %i columns exactly as the plain loop does', (lanes) => {
    expect(tileKernel(lanes).toString()).not.toBe(plainKernel(lanes).toString());
    const stride = 400;
    const columns = Float64Array.from({ length: stride * lanes + 3 }, (_, i) => Math.sin(i) * 10 ** (i % 9));
    const counts = Uint16Array.from({ length: BATCH * stride }, (_, i) => (i * 7919) % 5);
    for (const [from, length, batch] of [
      [0, TILE, BATCH],
      [256, 144, BATCH],
      [10, 1, 3],
    ] as const) {
      const fast = Float64Array.from({ length: BATCH * 8 }, (_, i) => Math.cos(i));
      const plain = fast.slice();
      const at = 3 + from * lanes;
      tileKernel(lanes)(counts, stride, from, length, batch, columns, at, fast);
      plainKernel(lanes)(counts, stride, from, length, batch, columns, at, plain);
      expect(fast).toEqual(plain);
    }
  });
});
