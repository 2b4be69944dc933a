import { random } from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { applyAssignments } from '../config/index.js';
import { stepDraws } from './draws.js';

const root = new random.RandomRoot(3);
const draws = (values: Record<string, unknown>, readers = 3) =>
  stepDraws(
    applyAssignments(Object.entries(values).map(([path, value]) => ({ path, value, origin: 'test' }))),
    root,
    readers,
  );
const steps = Array.from({ length: 3000 }, (_, i) => i);

describe('stepDraws', () => {
  it('gives all readers, or one drawn anew for each step, each as often', () => {
    expect(draws({}).readers(17)).toEqual([0, 1, 2]);
    const one = draws({ 'training.decoders_per_step': 'one' });
    const drawn = steps.map((step) => one.readers(step));
    expect(drawn.every((readers) => readers.length === 1)).toBe(true);
    for (const k of [0, 1, 2]) {
      expect(drawn.filter(([reader]) => reader === k).length).toBeGreaterThan(900);
    }
    // A resumed run asks for later steps only, and gets the same.
    const again = draws({ 'training.decoders_per_step': 'one' });
    expect(steps.slice(1500).map((step) => again.readers(step))).toEqual(drawn.slice(1500));
  });

  it('continues the asked share of texts, other ones in each step', () => {
    const mixed = draws({ 'objective.reconstruction_share': 0.2 });
    const continued = (step: number) => steps.filter((example) => mixed.continues(step, example));
    expect(continued(0).length / steps.length).toBeCloseTo(0.8, 1);
    expect(continued(1)).not.toEqual(continued(0));
    expect(steps.some((example) => draws({}).continues(0, example))).toBe(false);
    expect(
      steps.every((example) => draws({ 'objective.reconstruction_share': 0 }).continues(0, example)),
    ).toBe(true);
  });

  it('supervises a window of long texts and all of short ones, another window in each step', () => {
    expect(draws({}).readingWindow(0, 5, 300)).toEqual([0, 300]);
    const windows = draws({ 'objective.reading_tokens': 20 });
    expect(windows.readingWindow(0, 5, 20)).toEqual([0, 20]);
    const drawn = steps.map((step) => windows.readingWindow(step, 5, 50));
    expect(drawn.every(([start, end]) => start >= 0 && end <= 50 && end - start === 20)).toBe(true);
    expect(new Set(drawn.map(([start]) => start)).size).toBe(31);
    expect(windows.readingWindow(7, 5, 50)).toEqual(drawn[7]);
  });

  it('draws the number of latents of each step from the asked ones', () => {
    expect(steps.every((step) => draws({}).expansion(step) === 1)).toBe(true);
    const several = draws({ 'training.train_expansions': '1,2,4' });
    const drawn = steps.map((step) => several.expansion(step));
    for (const factor of [1, 2, 4]) {
      expect(drawn.filter((value) => value === factor).length).toBeGreaterThan(900);
    }
  });

  it('has the asked share of the steps with answers read the text too', () => {
    expect(steps.every((step) => draws({}).reads(step))).toBe(true);
    expect(steps.some((step) => draws({ 'objective.reading_share': 0 }).reads(step))).toBe(false);
    const some = draws({ 'objective.reading_share': 0.25 });
    const read = steps.filter((step) => some.reads(step));
    expect(read.length / steps.length).toBeCloseTo(0.25, 1);
    expect(steps.filter((step) => some.reads(step))).toEqual(read);
  });
});
