import { random } from '@latentwire/torch';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchPlan } from './batches.js';

const stream = (seed: number): random.RandomStream => new random.RandomRoot(seed).stream('data-order');

describe('BatchPlan', () => {
  it('shows every example exactly once per epoch (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 3 }),
        (lengths, batchSize, windowBatches, epoch) => {
          const plan = new BatchPlan({ lengths, batchSize, windowBatches, stream: stream(1) });
          const seen = Array.from({ length: plan.batchesPerEpoch }, (_, i) => plan.batch(epoch, i)).flat();
          expect(seen.toSorted((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps the questions on one text together, and shows each once (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 4 }),
        (sizes, batchSize, windowBatches) => {
          const groups = sizes.flatMap((size, group) => new Array<number>(size).fill(group));
          const lengths = groups.map((group) => 1 + ((group * 7) % 5));
          const plan = new BatchPlan({ lengths, batchSize, windowBatches, groups, stream: stream(2) });
          const batches = Array.from({ length: plan.batchesPerEpoch }, (_, i) => plan.batch(1, i));
          expect(batches.flat().toSorted((a, b) => a - b)).toEqual(groups.map((_, i) => i));
          for (const batch of batches) {
            const seen = batch.map((i) => groups[i]!).filter((group, at, all) => group !== all[at - 1]);
            expect(new Set(seen).size).toBe(seen.length);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives a batch without replaying those before it', () => {
    const lengths = Array.from({ length: 1000 }, (_, i) => 10 + ((i * 37) % 90));
    const options = { lengths, batchSize: 8, stream: stream(3) };
    const walked = new BatchPlan(options);
    for (let i = 0; i < 100; i++) walked.batch(0, i);
    expect(new BatchPlan(options).batch(2, 77)).toEqual(walked.batch(2, 77));
  });

  it('differs between epochs and between seeds', () => {
    const lengths = new Array<number>(256).fill(10);
    const a = new BatchPlan({ lengths, batchSize: 8, stream: stream(3) });
    const b = new BatchPlan({ lengths, batchSize: 8, stream: stream(4) });
    expect(a.batch(0, 0)).not.toEqual(a.batch(1, 0));
    expect(a.batch(0, 0)).not.toEqual(b.batch(0, 0));
  });

  it('puts texts of like length together', () => {
    const lengths = Array.from({ length: 2048 }, (_, i) => 10 + ((i * 7919) % 300));
    const padding = (windowBatches: number): number => {
      const plan = new BatchPlan({ lengths, batchSize: 16, windowBatches, stream: stream(5) });
      let padded = 0;
      for (let i = 0; i < plan.batchesPerEpoch; i++) {
        const batch = plan.batch(0, i).map((k) => lengths[k]!);
        padded += Math.max(...batch) * batch.length - batch.reduce((x, y) => x + y, 0);
      }
      return padded;
    };
    expect(padding(32)).toBeLessThan(padding(1) / 8);
  });
});
