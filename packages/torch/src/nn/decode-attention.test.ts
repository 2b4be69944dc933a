import { describe, expect, it } from 'vitest';
import * as t from '../index.js';

const [BATCH, CAPACITY, ROWS] = [4, 70, 80];

interface Case {
  readonly heads: number;
  readonly kvHeads: number;
  readonly width: number;
  readonly window: number | null;
  readonly norm: boolean;
}

const CASES: Case[] = [
  { heads: 6, kvHeads: 2, width: 64, window: null, norm: false },
  { heads: 8, kvHeads: 8, width: 16, window: 9, norm: false },
  { heads: 7, kvHeads: 1, width: 128, window: null, norm: true },
  { heads: 4, kvHeads: 1, width: 256, window: 33, norm: true },
];

/** A cache with something in it, the operator's inputs, and its result with the cache after it. */
function run(
  { heads, kvHeads, width, window, norm }: Case,
  device: t.Device,
  dtype: t.DType,
): Float32Array[] {
  return t.scope(() => {
    let seed = 0;
    const random = (...shape: number[]): t.Tensor =>
      t.randn(shape, { generator: new t.Generator('cpu', seed++) }).to({ device, dtype });
    const cache = {
      keys: random(BATCH, kvHeads, CAPACITY, width),
      values: random(BATCH, kvHeads, CAPACITY, width),
      positions: t.tensor([0, 69, 20, 5], { dtype: 'int64', device }),
      ended: t.tensor([false, false, false, true], { device }),
    };
    const out = t.nn.decodeAttention(random(BATCH, 1, heads + 2 * kvHeads, width), cache, {
      cos: random(ROWS, width),
      sin: random(ROWS, width),
      norm: norm ? random(heads + kvHeads, width) : null,
      eps: 1e-6,
      window,
      scale: 1 / Math.sqrt(width),
    });
    // What a row that has ended holds is not read by anyone.
    const live = (x: t.Tensor): Float32Array => t.narrow(x, 0, 0, 3).toFloat32Array();
    return [live(out), live(cache.keys), live(cache.values)];
  });
}

function worst(a: Float32Array[], b: Float32Array[]): number {
  return Math.max(...a.flatMap((x, i) => [...x].map((v, j) => Math.abs(v - b[i]![j]!))));
}

describe('attention of one new position per row', () => {
  it('sees the positions up to its own, within the window, and puts its key and value there', () => {
    t.scope(() => {
      const cache = {
        keys: t.zeros([2, 1, 4, 2]),
        values: t.reshape(t.arange(0, 16, 1, { dtype: 'float32' }), [2, 1, 4, 2]),
        positions: t.tensor([1, 3], { dtype: 'int64' }),
        ended: t.tensor([false, false]),
      };
      // Keys of zero: every visible position weighs the same.
      const qkv = t.reshape(t.tensor([0, 0, 0, 0, 100, 200, 0, 0, 0, 0, 100, 200]), [2, 1, 3, 2]);
      const angles = { cos: t.ones([4, 2]), sin: t.zeros([4, 2]) };
      const options = { ...angles, norm: null, eps: 0, window: 2, scale: 1 };
      expect(t.nn.decodeAttention(qkv, cache, options).toArray()).toEqual([50, 100.5, 56, 106.5]);
      expect(cache.values.toArray()).toEqual([0, 1, 100, 200, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 100, 200]);
    });
  });

  describe.skipIf(!t.cudaIsAvailable())('as one CUDA kernel', () => {
    for (const item of CASES) {
      for (const [dtype, limit] of [
        ['float32', 1e-5],
        ['bfloat16', 0.06],
        ['float16', 0.01],
      ] as const) {
        it(`${JSON.stringify(item)}, ${dtype}: the values of torch's operators`, () => {
          expect(
            t.scope(() => t.nn.decodeKernelTakes(t.zeros([1], { device: 'cuda', dtype }), item.width, 7)),
          ).toBe(true);
          const fused = run(item, 'cuda', dtype);
          const before = t.nn.setFusedKernels(false);
          const plain = run(item, 'cuda', dtype);
          t.nn.setFusedKernels(before);
          expect(worst(plain, fused)).toBeLessThan(limit);
        });
      }
    }
  });
});
