import * as t from '@latentwire/torch';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchEmbeddings, compose, roundUpCoarsely, type Segment } from './compose.js';

const rows: Segment[][] = [
  [
    { kind: 'tokens', ids: [5, 6] },
    { kind: 'latents' },
    { kind: 'tokens', ids: [7] },
    { kind: 'target', ids: [8, 9] },
  ],
  [
    { kind: 'tokens', ids: [5, 6] },
    { kind: 'latents' },
    { kind: 'tokens', ids: [] },
    { kind: 'target', ids: [4] },
  ],
];

describe('compose', () => {
  it('places tokens, latents and targets with padding on the right', () => {
    const c = compose(rows, 'right', 3);
    expect(c.length).toBe(7);
    // The last target of a row is predicted and takes no position.
    expect([...c.ids]).toEqual([5, 6, 0, 0, 0, 7, 8, 5, 6, 0, 0, 0, 0, 0]);
    expect([...c.valid!]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    expect([...c.latentPlaces]).toEqual([2, 3, 4, 9, 10, 11]);
  });

  it('gives a last target no position only when it is the last of its row', () => {
    const c = compose([[...rows[0]!, { kind: 'tokens', ids: [3] }]], 'right', 1);
    expect([...c.ids]).toEqual([5, 6, 0, 7, 8, 9, 3]);
    expect([...c.targetPlaces]).toEqual([3, 4]);
  });

  it('asks for the state one place before each target, so the first content token is a target', () => {
    const c = compose(rows, 'right', 3);
    expect([...c.targetIds]).toEqual([8, 9, 4]);
    expect([...c.targetPlaces]).toEqual([5, 6, 11]);
    expect([...c.targetRows]).toEqual([0, 0, 1]);
  });

  it('pads on the left for generation', () => {
    const c = compose(rows, 'left', 3);
    expect([...c.valid!.slice(7)]).toEqual([0, 0, 1, 1, 1, 1, 1]);
    expect([...c.latentPlaces]).toEqual([2, 3, 4, 11, 12, 13]);
  });

  it('builds no mask when nothing is padded', () => {
    expect(compose([rows[0]!, rows[0]!], 'right', 3).valid).toBeNull();
  });

  it('keeps every token once, whatever the rows (property)', () => {
    const row = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('tokens' as const), ids: fc.array(fc.integer({ min: 1, max: 99 })) }),
        fc.record({ kind: fc.constant('latents' as const) }),
      ),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('left' as const, 'right' as const),
        (batch, side) => {
          const c = compose(batch, side, 2);
          batch.forEach((segments, r) => {
            const expected = segments.flatMap((s) => (s.kind === 'tokens' ? s.ids : []));
            const at = Array.from(c.ids.slice(r * c.length, (r + 1) * c.length)).filter((id) => id !== 0);
            expect(at).toEqual(expected);
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('roundUpCoarsely', () => {
  it('has few sizes in an octave, none of them too small or padded beyond one part', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 9, 13].map((n) => roundUpCoarsely(n * 10, 10))).toEqual(
      [1, 2, 3, 4, 6, 6, 8, 12, 16].map((n) => n * 10),
    );
    const sizes = Array.from({ length: 2000 }, (_, n) => roundUpCoarsely(n, 32, 4));
    sizes.forEach((size, n) => {
      expect(size).toBeGreaterThanOrEqual(n);
      expect(size - n).toBeLessThan(Math.max(32, n / 4 + 1));
    });
    expect(new Set(sizes).size).toBe(1 + 8 + 4 + 4 + 4);
    expect(roundUpCoarsely(37)).toBe(37);
  });
});

describe('batchEmbeddings', () => {
  it('puts each latent in its place, in the order of the rows, and sends the gradient back there only', () => {
    t.scope(() => {
      const c = compose(rows, 'left', 3);
      const table = t.randn([10, 4]);
      const prefix = t.randn([2, 3, 4]).setRequiresGrad();
      const { embeds } = batchEmbeddings(c, (ids) => t.embedding(table, ids), prefix, 'cpu');
      expect(t.narrow(t.select(embeds, 0, 0), 0, 2, 3).toArray()).toEqual(t.select(prefix, 0, 0).toArray());
      expect(t.narrow(t.select(embeds, 0, 1), 0, 4, 3).toArray()).toEqual(t.select(prefix, 0, 1).toArray());
      t.backward(t.sum(t.square(embeds)));
      expect(prefix.grad!.toArray()).toEqual(t.mul(prefix.detach(), 2).toArray());
    });
  });

  it('uses the first latents of each row when rows have different numbers of them', () => {
    t.scope(() => {
      const c = compose(rows, 'right', [1, 3]);
      expect([...c.latentPlaces]).toEqual([2, 7, 8, 9]);
      expect([...c.latentCounts]).toEqual([1, 3]);
      const prefix = t.randn([2, 3, 4]).setRequiresGrad();
      const { embeds } = batchEmbeddings(c, (ids) => t.embedding(t.zeros([10, 4]), ids), prefix, 'cpu');
      const flat = t.reshape(embeds, [-1, 4]);
      expect(t.select(flat, 0, 2).toArray()).toEqual(t.select(t.select(prefix, 0, 0), 0, 0).toArray());
      expect(t.narrow(flat, 0, 7, 3).toArray()).toEqual(t.select(prefix, 0, 1).toArray());
      t.backward(t.sum(embeds));
      expect(prefix.grad!.toArray()).toEqual([
        ...Array(4).fill(1),
        ...Array(8).fill(0),
        ...Array(12).fill(1),
      ]);
    });
  });
});
