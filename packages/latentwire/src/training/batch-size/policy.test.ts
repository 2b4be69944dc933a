import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accumulationOf, batchPolicy, microBatchesOf, usedMicroBatch } from './policy.js';

describe('the policy of batches', () => {
  it('cuts a step into as few equal parts as fit, in order, without losing an example', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        (examples, microBatch) => {
          const planned = Array.from({ length: examples }, (_, i) => i * 7);
          const policy = batchPolicy({ grad_accum: 1, effective_batch: examples }, microBatch);
          const parts = microBatchesOf(planned, policy);
          expect(parts.flat()).toEqual(planned);
          expect(parts.length).toBe(Math.ceil(examples / microBatch));
          const sizes = parts.map(({ length }) => length);
          expect(Math.max(...sizes)).toBeLessThanOrEqual(microBatch);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it('leaves a run without an effective batch as it was: whole batches, so many per step', () => {
    const policy = batchPolicy({ grad_accum: 3, effective_batch: null }, 4);
    expect(microBatchesOf([5, 6, 7, 8], policy)).toEqual([[5, 6, 7, 8]]);
    expect(microBatchesOf([5, 6], policy)).toEqual([[5, 6]]);
    expect(accumulationOf(policy)).toEqual({ batch_size: 4, grad_accum: 3 });
  });

  it('stands in the checkpoint with the size of the whole step', () => {
    const policy = batchPolicy({ grad_accum: 1, effective_batch: 64 }, 24);
    expect(accumulationOf(policy)).toEqual({ batch_size: 24, grad_accum: 3, effective_batch: 64 });
    const small = batchPolicy({ grad_accum: 1, effective_batch: 16 }, 500);
    expect(accumulationOf(small)).toEqual({ batch_size: 16, grad_accum: 1 });
  });

  it('has as many examples at a time as the largest part of a step, whichever larger size is allowed', () => {
    const size = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(
        size,
        size,
        fc.option(size),
        fc.integer({ min: 1, max: 4 }),
        (allowed, examples, effective, n) => {
          const training = { grad_accum: 1, effective_batch: effective };
          const most = Math.min(allowed, Math.ceil(examples / n));
          const of = (microBatch: number): number =>
            usedMicroBatch(training, microBatch, { examples, processes: n });
          const used = of(most);
          expect(used).toBeLessThanOrEqual(most);
          expect(of(used)).toBe(used);
          const largest = (microBatch: number): number => {
            const policy = batchPolicy(training, microBatch, n);
            const step = Array.from({ length: Math.min(policy.planned, examples) }, (_, i) => i);
            return Math.ceil(Math.max(...microBatchesOf(step, policy).map(({ length }) => length)) / n);
          };
          expect([largest(most), largest(used)]).toEqual([used, used]);
        },
      ),
    );
  });
});
