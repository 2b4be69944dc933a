import * as t from '@latentwire/torch';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { poolWindows } from './pooling.js';

describe('poolWindows', () => {
  it('equals adaptive average pooling of each unpadded text (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 8 }),
        (lengths, windows) => {
          t.scope(() => {
            const length = Math.max(...lengths);
            const states = t.randn([lengths.length, length, 3]);
            const pooled = poolWindows(states, lengths, windows);
            lengths.forEach((n, b) => {
              const text = t.transpose(t.narrow(t.select(states, 0, b), 0, 0, n), 0, 1); // [3, n]
              const reference = t.adaptiveAvgPool1d(t.unsqueeze(text, 0), windows);
              const got = t.transpose(t.select(pooled, 0, b), 0, 1);
              expect(t.max(t.abs(t.sub(got, t.squeeze(reference, 0)))).item()).toBeLessThan(1e-5);
            });
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  it('ignores what stands in the padding', () => {
    t.scope(() => {
      const states = t.randn([1, 6, 3]);
      const changed = t.cat([t.narrow(states, 1, 0, 4), t.full([1, 2, 3], 1e6)], 1);
      expect(poolWindows(changed, [4], 2).toArray()).toEqual(poolWindows(states, [4], 2).toArray());
    });
  });

  it('gives each row its own number of windows, and zeros after them', () => {
    t.scope(() => {
      const states = t.randn([2, 6, 3]);
      const pooled = poolWindows(states, [6, 4], [2, 3]);
      expect(pooled.shape).toEqual([2, 3, 3]);
      const first = poolWindows(t.narrow(states, 0, 0, 1), [6], 2);
      expect(t.narrow(t.select(pooled, 0, 0), 0, 0, 2).toArray()).toEqual(first.toArray());
      expect(t.select(t.select(pooled, 0, 0), 0, 2).toArray()).toEqual([0, 0, 0]);
    });
  });
});
