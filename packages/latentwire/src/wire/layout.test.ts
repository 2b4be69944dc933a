import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatentLayout } from './layout.js';

describe('LatentLayout', () => {
  it('gives every text the same number of latents without a ratio', () => {
    const layout = new LatentLayout({ slots: 6, ratio: null, privateLen: 2, readers: 3 });
    const shared = layout.shared([1, 100, 7]);
    expect([...shared]).toEqual([6, 6, 6]);
    expect([...layout.seen(shared)]).toEqual([8, 8, 8]);
    expect([...layout.sent(shared)]).toEqual([12, 12, 12]);
  });

  it('gives a text one shared latent per so many tokens, rounded up', () => {
    const layout = new LatentLayout({ slots: 6, ratio: 4, privateLen: 0, readers: 1 });
    expect([...layout.shared([1, 4, 5, 100])]).toEqual([1, 1, 2, 25]);
  });

  it('reaches about one latent per token at full expansion, and the final number at 1 (property)', () => {
    fc.assert(
      fc.property(
        fc.record({
          slots: fc.integer({ min: 1, max: 64 }),
          ratio: fc.option(fc.integer({ min: 1, max: 32 })),
          privateLen: fc.integer({ min: 0, max: 3 }),
          readers: fc.integer({ min: 1, max: 3 }),
        }),
        fc.integer({ min: 1, max: 500 }),
        (options, tokens) => {
          const layout = new LatentLayout(options);
          const full = layout.shared([tokens], layout.fullExpansion(tokens))[0]!;
          if (options.ratio !== null || tokens >= options.slots) expect(full).toBe(tokens);
          const final = layout.shared([tokens])[0]!;
          expect(final).toBe(options.ratio === null ? options.slots : Math.ceil(tokens / options.ratio));
          expect(layout.sent([final])[0]! - layout.seen([final])[0]!).toBe(
            (options.readers - 1) * options.privateLen,
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it('refuses private latents that leave nothing to share', () => {
    expect(() => new LatentLayout({ slots: 0, ratio: null, privateLen: 4, readers: 2 })).toThrow(
      /at least one shared latent, got 0: M minus 4 private latents for each of 2 models/,
    );
  });
});
