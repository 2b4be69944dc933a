import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSchedule, type LearningRateSchedule, learningRateFactor } from './schedule.js';

interface Golden {
  readonly cases: readonly { readonly schedule: LearningRateSchedule; readonly factors: readonly number[] }[];
}
const golden: Golden = JSON.parse(readFileSync(new URL('./golden/schedules.json', import.meta.url), 'utf8'));

const anySchedule: fc.Arbitrary<LearningRateSchedule> = fc
  .record({
    kind: fc.constantFrom('constant', 'linear', 'cosine', 'wsd'),
    warmupSteps: fc.integer({ min: 0, max: 50 }),
    stable: fc.integer({ min: 0, max: 50 }),
    decaySteps: fc.integer({ min: 0, max: 50 }),
    floorRatio: fc.double({ min: 0, max: 1, noNaN: true }),
    decayShape: fc.constantFrom('linear', 'cosine', '1-sqrt'),
  })
  .map(
    ({ stable, ...rest }) =>
      ({ ...rest, totalSteps: rest.warmupSteps + stable + rest.decaySteps }) as LearningRateSchedule,
  );

describe('learningRateFactor', () => {
  it.each(golden.cases)('equals transformers for $schedule', ({ schedule, factors }) => {
    factors.forEach((factor, step) => {
      expect(learningRateFactor(schedule, step)).toBeCloseTo(factor, 14);
    });
  });

  it('equals the closed form of a cosine with warm-up and floor', () => {
    const schedule = { kind: 'cosine', warmupSteps: 10, totalSteps: 110, floorRatio: 0.1 } as const;
    expect(learningRateFactor(schedule, 0)).toBe(0);
    expect(learningRateFactor(schedule, 5)).toBe(0.5);
    expect(learningRateFactor(schedule, 10)).toBe(1);
    expect(learningRateFactor(schedule, 60)).toBeCloseTo(0.55, 14);
    expect(learningRateFactor(schedule, 85)).toBeCloseTo(0.1 + 0.9 * 0.5 * (1 - Math.SQRT1_2), 14);
    expect(learningRateFactor(schedule, 110)).toBe(0.1);
    expect(learningRateFactor(schedule, 10_000)).toBe(0.1);
  });

  it('stays in [0, 1], rises through the warm-up, never rises after it, and ends at the floor', () => {
    fc.assert(
      fc.property(anySchedule, (schedule) => {
        const total = schedule.kind === 'constant' ? 100 : schedule.totalSteps;
        const factors = Array.from({ length: total + 3 }, (_, step) => learningRateFactor(schedule, step));
        factors.forEach((factor, step) => {
          expect(factor).toBeGreaterThanOrEqual(0);
          expect(factor).toBeLessThanOrEqual(1);
          if (step === 0) return;
          const change = factor - factors[step - 1]!;
          if (step < schedule.warmupSteps!) expect(change).toBeGreaterThan(0);
          if (step > schedule.warmupSteps!) expect(change).toBeLessThanOrEqual(0);
        });
        if (schedule.kind !== 'constant') expect(factors.at(-1)).toBe(schedule.floorRatio);
      }),
    );
  });

  it('refuses counts that are not whole, floors outside [0, 1] and parts longer than the whole', () => {
    const bad = (schedule: LearningRateSchedule, message: RegExp) =>
      expect(() => checkSchedule(schedule)).toThrow(message);
    bad({ kind: 'constant', warmupSteps: -1 }, /warmupSteps to be a whole number ≥ 0, got -1/);
    bad({ kind: 'linear', totalSteps: 1.5 }, /totalSteps .* got 1.5/);
    bad({ kind: 'cosine', totalSteps: Number.NaN }, /totalSteps .* got NaN/);
    bad({ kind: 'cosine', totalSteps: 5, floorRatio: 1.01 }, /floorRatio in \[0, 1\], got 1.01/);
    bad({ kind: 'cosine', totalSteps: 5, warmupSteps: 6 }, /6 \+ 0 > 5/);
    bad({ kind: 'wsd', totalSteps: 5, warmupSteps: 3, decaySteps: 3 }, /3 \+ 3 > 5/);
    expect(() => learningRateFactor({ kind: 'constant' }, -1)).toThrow(/step to be a whole number/);
  });
});
