import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stageAt } from './stages.js';

const plan = { latents: 32, startLatents: 150, pretrainShare: 0.4, reconstructionWeight: 0.3 };

describe('stageAt', () => {
  it('goes through alignment, descent, reconstruction and answers, in this order', () => {
    const names = Array.from({ length: 1000 }, (_, i) => stageAt(plan, i / 1000).name);
    expect([...new Set(names)]).toEqual(['alignment', 'descent', 'reconstruction', 'answers']);
    expect(names.toSorted()).not.toEqual(names);
    expect(names.filter((name) => name === 'answers')).toHaveLength(600);
  });

  it('descends from one latent per token to M and never goes up (property)', () => {
    const share = fc.double({ min: 0, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(share, share, (a, b) => {
        const [early, late] = [stageAt(plan, Math.min(a, b)), stageAt(plan, Math.max(a, b))];
        expect(late.latents).toBeLessThanOrEqual(early.latents);
        expect(late.latents).toBeGreaterThanOrEqual(32);
      }),
    );
    expect(stageAt(plan, 0).latents).toBe(150);
    expect(stageAt(plan, 0.39).latents).toBe(32);
  });

  it('trains answers alone when the reconstruction is turned off', () => {
    const off = stageAt({ ...plan, reconstructionWeight: 0 }, 0);
    expect(off).toEqual({
      name: 'answers',
      latents: 32,
      weights: { alignment: 0, reconstruction: 0, answer: 1 },
    });
  });

  it('needs no descent when texts are shorter than M', () => {
    expect(stageAt({ ...plan, startLatents: 10 }, 0.1).latents).toBe(32);
  });
});
