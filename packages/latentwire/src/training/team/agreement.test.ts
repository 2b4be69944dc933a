import { describe, expect, it } from 'vitest';
import { Agreement } from './agreement.js';

const numbers = (stop: number, clock: number) => ({ stop, clock, tokens: 0, tflop: 0 });

describe('what the numbers of a step say', () => {
  it('counts from the next step on where numbers are read at once', () => {
    const agreement = new Agreement(false, 0.1);
    expect(agreement.clock(0)).toBe(0.1);
    agreement.hear(1, numbers(0, 0.2));
    expect([agreement.clock(1), agreement.stops(1)]).toEqual([0.2, false]);
    agreement.hear(2, numbers(1, 0.3));
    expect([agreement.clock(2), agreement.stops(2)]).toEqual([0.3, true]);
  });

  it('counts from the same step on for a rank that read early and one that read late', () => {
    const [early, late] = [new Agreement(true, 0), new Agreement(true, 0)];
    // Rank 0 saves after step 1 and reads its numbers then; the other has issued step 2 before it reads them.
    early.hear(1, numbers(2, 0.5));
    expect([early.clock(1), early.stops(1)]).toEqual([0, false]);
    expect([late.clock(1), late.stops(1)]).toEqual([0, false]);
    late.hear(1, numbers(2, 0.5));
    for (const one of [early, late]) expect([one.clock(2), one.stops(2)]).toEqual([0.5, true]);
  });

  it('stays: a stop is not taken back by the next step', () => {
    const agreement = new Agreement(true, 0);
    agreement.hear(1, numbers(1, 0));
    agreement.hear(2, numbers(0, 0));
    expect(agreement.stops(3)).toBe(true);
  });
});
