/** Protects the equality, bit for bit, of the assembled block sum and its definition, and the generator state after both. */
import { describe, expect, it } from 'vitest';
import { Purpose, seedStream } from '../random/index.js';
import { blockSumOf } from './block-kernel.js';
import { drawPlan, drawSum, plainBlockSum } from './draws.js';

describe('block kernel', () => {
  // Growing, then small again: the memory is kept and reused.
  it.each([1024, 1500, 40_000, 2000])(
    'sums one resample of %i units exactly as the plain loop does',
    (size) => {
      const offset = 5;
      const values = Float64Array.from({ length: size + offset }, (_, i) => Math.sin(i) * 10 ** (i % 7));
      const fast = blockSumOf(values);
      expect(fast).toBeDefined();
      const plan = drawPlan(size);
      const [one, two] = [new Int32Array(4), new Int32Array(4)];
      for (let r = 0; r < 20; r++) {
        seedStream(one, 6, Purpose.bootstrap, r);
        seedStream(two, 6, Purpose.bootstrap, r);
        expect(drawSum(one, values, offset, plan, fast)).toBe(
          drawSum(two, values, offset, plan, plainBlockSum),
        );
        expect(one).toEqual(two);
      }
    },
  );
});
