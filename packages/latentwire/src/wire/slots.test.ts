import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { slotVectors } from './slots.js';

describe('slotVectors', () => {
  it('is the table itself when there are as many slots as rows', () => {
    t.scope(() => {
      const table = t.randn([5, 3]);
      expect(slotVectors(table, 5, 4).toArray()).toEqual(table.toArray());
      expect(slotVectors(table, [5, 5], 2).shape).toEqual([1, 5, 3]);
    });
  });

  it('resamples the table for more and for fewer slots, centres on centres', () => {
    t.scope(() => {
      const table = t.tensor([[0], [1], [2], [3]]);
      expect(slotVectors(table, 2, 1).toArray()).toEqual([0.5, 2.5]);
      expect(slotVectors(table, 1, 1).toArray()).toEqual([1.5]);
      const twice = slotVectors(table, 8, 1).toArray();
      expect(twice).toEqual([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]);
    });
  });

  it("gives a row the vectors of its own number of slots, whatever the others' numbers", () => {
    t.scope(() => {
      const table = t.randn([4, 3]);
      const counts = [2, 7, 4];
      const together = slotVectors(table, counts, 3);
      expect(together.shape).toEqual([3, 7, 3]);
      counts.forEach((count, row) => {
        const own = t.narrow(t.select(together, 0, row), 0, 0, count);
        const alone = t.select(slotVectors(table, count, 1), 0, 0);
        expect(t.max(t.abs(t.sub(own, alone))).item()).toBeLessThan(1e-6);
      });
      expect(
        t
          .narrow(t.select(together, 0, 0), 0, 2, 5)
          .toArray()
          .every((x) => x === 0),
      ).toBe(true);
    });
  });
});
