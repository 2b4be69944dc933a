import fc from 'fast-check';
import { expect, it } from 'vitest';
import { partOf } from './shard.js';

it('gives every example to exactly one rank, in order, in parts that differ by one at most', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 17 }), (count, size) => {
      const items = Array.from({ length: count }, (_, i) => i * 3);
      const parts = Array.from({ length: size }, (_, rank) => partOf(items, { rank, size }));
      expect(parts.flat()).toEqual(items);
      const lengths = parts.map(({ length }) => length);
      expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
    }),
  );
});
