import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SearchResult, searchBatchSize } from './search.js';

interface Device {
  readonly capacity: number;
  /** Where it really runs out; default: `capacity`. */
  readonly limit?: number;
  readonly need: (size: number) => number;
  readonly most?: number;
  readonly target?: number;
}

function search({ capacity, limit = capacity, need, most = 1e6, target = 0.8 }: Device): SearchResult {
  return searchBatchSize({
    ...{ capacity, target, most },
    measure: (size) => (need(size) > limit ? null : need(size)),
  });
}

describe('the search for a batch size', () => {
  it('lands at the target and says beforehand what it will need', () => {
    const result = search({ capacity: 80_000, need: (b) => 9_000 + 37 * b });
    expect(result.measured / 80_000).toBeGreaterThan(0.79);
    expect(result.measured / 80_000).toBeLessThanOrEqual(0.8);
    expect(result.predicted).toBeCloseTo(result.measured, 3);
    expect(result.limitedBy).toBe('target');
    // The steps are expensive: few of them, and none near the capacity.
    expect(result.measurements.length).toBeLessThan(12);
    for (const { bytes } of result.measurements) expect(bytes).toBeLessThan(65_000);
  });

  it('lands between 78 % and 82 % on any line with noise of an allocator, within 5 % of what it predicted', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        fc.double({ min: 0.0002, max: 0.01, noNaN: true }),
        fc.double({ min: 0, max: 0.006, noNaN: true }),
        fc.integer({ min: 1, max: 1000 }),
        (rest, slope, noise, seed) => {
          const wobble = (b: number): number => noise * Math.sin(b * seed);
          const { measured, predicted } = search({ capacity: 1, need: (b) => rest + slope * b + wobble(b) });
          expect(measured).toBeGreaterThan(0.78);
          expect(measured).toBeLessThan(0.82);
          expect(Math.abs(predicted! / measured - 1)).toBeLessThan(0.05);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('corrects itself where memory is not a line', () => {
    const { measured } = search({ capacity: 1e6, need: (b) => 1e5 + 900 * b + 0.4 * b * b });
    expect(measured / 1e6).toBeGreaterThan(0.78);
    expect(measured / 1e6).toBeLessThan(0.82);
  });

  it('lands at the target where memory rises in a jump, as an allocator with a second pool has it', () => {
    // GB as measured on an H100 of 85 GB: 45 at 64 examples, 69.2 at 85, 73.6 at 100.
    const need = (b: number): number => (b <= 64 ? 8 + 0.58 * b : 69.2 + 0.29 * (b - 85));
    const { measured, measurements } = search({ capacity: 85, need });
    expect(measured / 85).toBeGreaterThan(0.78);
    expect(measured / 85).toBeLessThan(0.82);
    expect(measurements.length).toBeLessThan(9);
  });

  it('backs off when the device runs out below the goal, and ends with a size that was seen to fit', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.15, max: 0.7, noNaN: true }),
        fc.double({ min: 0.0005, max: 0.03, noNaN: true }),
        (limit, slope) => {
          const need = (b: number): number => 0.05 + slope * b;
          const result = search({ capacity: 1, limit, need });
          expect(need(result.size)).toBeLessThanOrEqual(limit);
          expect(result.measurements).toContainEqual(
            expect.objectContaining({ size: result.size, bytes: need(result.size) }),
          );
          expect(result.limitedBy).toBe('device');
          // Not far below what would have fitted.
          expect(need(result.size) + 2 * slope).toBeGreaterThan(0.5 * limit);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('takes no more than are of use', () => {
    for (const most of [1, 2, 7, 8, 9, 100]) {
      const result = search({ capacity: 1e9, need: (b) => 10 + b, most });
      expect(result).toMatchObject({ size: most, limitedBy: 'most' });
    }
  });

  it('tries only sizes that differ from those below', () => {
    const tried: number[] = [];
    // A step of 128 in equal parts.
    const usable = (size: number): number => Math.ceil(128 / Math.ceil(128 / size));
    const of = (slope: number): SearchResult =>
      searchBatchSize({
        ...{ capacity: 1000, target: 0.8, most: 127, usable },
        measure: (size) => {
          tried.push(size);
          return 100 + slope * size;
        },
      });
    expect(of(1)).toMatchObject({ size: 64, limitedBy: 'most' });
    expect(of(20)).toMatchObject({ size: 32, limitedBy: 'target' });
    expect(of(50)).toMatchObject({ size: 13 });
    for (const size of tried) expect(usable(size)).toBe(size);
  });

  it('finds few examples where few fit, and one where even that is beyond the goal', () => {
    expect(search({ capacity: 100, need: (b) => 10 + 30 * b })).toMatchObject({ size: 2 });
    expect(search({ capacity: 100, need: (b) => 60 + 15 * b })).toMatchObject({ size: 1 });
    expect(search({ capacity: 100, need: (b) => 85 + 10 * b })).toMatchObject({ size: 1, measured: 95 });
  });

  it('says what to change when not even one example fits', () => {
    expect(() => search({ capacity: 2 ** 30, need: () => 2 ** 31 })).toThrow(/one example .* 1\.0 GiB/);
  });
});
