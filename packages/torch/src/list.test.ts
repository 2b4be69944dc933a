import { describe, expect, it } from 'vitest';
import { arange, cat, ones, permute, reshape, scope, sum, TorchError, view, zeros } from './index.js';

describe('lists that travel through shared memory', () => {
  it('arrive whole, time and again round the buffer', () => {
    scope(() => {
      for (let i = 0; i < 3000; i++) {
        const dims = 1 + (i % 7);
        const shape = Array.from({ length: dims }, (_, d) => (d === i % dims ? 6 : 1));
        expect(zeros(shape).shape).toEqual(shape);
      }
    });
  });

  it('may be empty at the very end of the buffer', () => {
    scope(() => {
      for (let i = 0; i < 5000; i++) {
        expect(zeros([1]).shape).toEqual([1]);
        expect(zeros([]).shape).toEqual([]);
      }
    });
  });

  it('do not disturb each other within nested calls', () => {
    scope(() => {
      const joined = cat([reshape(arange(0, 6), [2, 3]), permute(view(arange(6, 12), [3, 2]), [1, 0])], 0);
      expect(joined.tolist()).toEqual([
        [0, 1, 2],
        [3, 4, 5],
        [6, 8, 10],
        [7, 9, 11],
      ]);
    });
  });

  it('may have any length', () => {
    scope(() => {
      for (const count of [1, 63, 64, 65, 5000]) {
        const parts = Array.from({ length: count }, (_, i) => arange(i, i + 1));
        expect(cat(parts).toArray()).toEqual(Array.from({ length: count }, (_, i) => i));
      }
      expect(zeros([]).shape).toEqual([]);
    });
  });

  it('must hold integers', () => {
    scope(() => {
      for (const size of [1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => zeros([2, size])).toThrow(TorchError);
      }
      expect(() => zeros([2, '3' as unknown as number, undefined as unknown as number])).toThrow(TorchError);
    });
  });

  it('cannot be mistaken for a dimension', () => {
    scope(() => {
      for (const dim of [-0.5, -1.5, -65536.5, 0.5]) expect(() => sum(ones([2, 2]), dim)).toThrow(/integer/);
      expect(sum(ones([2, 3]), -1).toArray()).toEqual([3, 3]);
    });
  });
});
