/** Protects the signs, symmetries and degenerate cases of effect sizes. Values are in golden/references.test.ts. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cliffsDelta,
  clopperPearsonInterval,
  cohensD,
  hedgesFactor,
  interpretEffect,
  oddsRatio,
  riskDifference,
  wilsonInterval,
} from './index.js';

const value = fc.integer({ min: -80, max: 80 }).map((k) => k / 8);
const sample = fc.array(value, { minLength: 3, maxLength: 15 });

describe('cohensD', () => {
  it('changes sign when the samples swap, and the interval mirrors', () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const forward = cohensD(a, b);
        const back = cohensD(b, a);
        fc.pre(Number.isFinite(forward.d));
        expect(back.d).toBeCloseTo(-forward.d, 10);
        expect(back.ci.low).toBeCloseTo(-forward.ci.high, 6);
        expect(forward.ci.low).toBeLessThanOrEqual(forward.d);
        expect(forward.ci.high).toBeGreaterThanOrEqual(forward.d);
      }),
      { numRuns: 40 },
    );
  });

  it('does not depend on the unit', () => {
    fc.assert(
      fc.property(sample, sample, fc.constantFrom(0.25, 4, 32), (a, b, scale) => {
        const scaled = cohensD(
          a.map((x) => scale * x + 3),
          b.map((x) => scale * x + 3),
        );
        const plain = cohensD(a, b);
        if (Number.isFinite(plain.d)) expect(scaled.d).toBeCloseTo(plain.d, 9);
        else expect(scaled.d).toBe(plain.d);
      }),
      { numRuns: 40 },
    );
  });

  it('is signed infinity without spread, zero without difference, with a warning', () => {
    expect(cohensD([1, 1], [2, 2]).d).toBe(Number.NEGATIVE_INFINITY);
    expect(cohensD([2, 2], [1, 1], { paired: true }).d).toBe(Number.POSITIVE_INFINITY);
    expect(cohensD([2, 2], [1, 1]).warnings[0]!.code).toBe('infinite-effect');
    expect(cohensD([1, 1], [1, 1]).d).toBe(0);
    expect(cohensD([0.3, 0.2, 0.1], [0.2, 0.1, 0], { paired: true }).d).toBe(Number.POSITIVE_INFINITY);
  });

  it('reports g instead of d on request', () => {
    const a = [1, 4, 2, 6, 3];
    const b = [0, 3, 1, 2, 2];
    const plain = cohensD(a, b);
    const corrected = cohensD(a, b, { correction: true });
    expect(corrected.d).toBe(plain.hedgesG);
    expect(corrected.ci.low).toBeCloseTo(plain.ci.low * hedgesFactor(8), 12);
    expect(hedgesFactor(10)).toBeCloseTo(24 / (Math.sqrt(5) * 11.631728396567448), 14); // Γ(5), Γ(4.5)
    expect(hedgesFactor(1)).toBe(0);
  });

  it('uses Cohen’s words', () => {
    expect([0.1, -0.3, 0.6, -0.9].map(interpretEffect)).toEqual(['negligible', 'small', 'medium', 'large']);
  });
});

describe('cliffsDelta', () => {
  it('is the share of won minus lost pairs, antisymmetric, inside its interval', () => {
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        let score = 0;
        for (const x of a) for (const y of b) score += Math.sign(x - y);
        const { delta, ci } = cliffsDelta(a, b);
        expect(delta).toBeCloseTo(score / (a.length * b.length), 12);
        expect(cliffsDelta(b, a).delta).toBeCloseTo(-delta, 12);
        expect(ci.low).toBeGreaterThanOrEqual(-1);
        expect(ci.high).toBeLessThanOrEqual(1);
        expect(ci.low).toBeLessThanOrEqual(ci.high);
      }),
    );
  });

  it('warns when the samples do not overlap', () => {
    const result = cliffsDelta([5, 6, 7], [1, 2, 3]);
    expect(result.delta).toBe(1);
    expect(result.warnings[0]!.code).toBe('infinite-effect');
    expect(result.interpretation).toBe('large');
  });
});

describe('proportions', () => {
  it('intervals contain the estimate, mirror, and Clopper–Pearson is the wider', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, share) => {
          const x = Math.round(n * share);
          const exact = clopperPearsonInterval(x, n);
          const mirrored = clopperPearsonInterval(n - x, n);
          expect(exact.low).toBeLessThanOrEqual(x / n);
          expect(exact.high).toBeGreaterThanOrEqual(x / n);
          expect(mirrored.low).toBeCloseTo(1 - exact.high, 10);
          const wilson = wilsonInterval(x, n);
          if (x > 0 && x < n) expect(wilson.high - wilson.low).toBeLessThan(exact.high - exact.low);
          const corrected = wilsonInterval(x, n, { correction: true });
          expect(corrected.low).toBeLessThanOrEqual(wilson.low + 1e-12);
          expect(corrected.high).toBeGreaterThanOrEqual(wilson.high - 1e-12);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('pairing narrows the interval when the methods agree mostly', () => {
    const table = [
      [70, 6],
      [2, 22],
    ] as const;
    const paired = riskDifference({ table });
    const unpaired = riskDifference({ successesA: 76, nA: 100, successesB: 72, nB: 100 });
    expect(paired.difference).toBeCloseTo(0.04, 12);
    expect(paired.ci.high - paired.ci.low).toBeLessThan(0.6 * (unpaired.ci.high - unpaired.ci.low));
    expect(paired.n).toEqual([100]);
    // Newcombe (1998c), table II, method 10, data set (36, 12, 2, 0).
    const published = riskDifference({
      table: [
        [36, 12],
        [2, 0],
      ],
    });
    expect(published.ci.low).toBeCloseTo(0.0569, 4);
    expect(published.ci.high).toBeCloseTo(0.3404, 4);
  });

  it('odds ratios invert with the table and survive zero cells', () => {
    const table = [
      [8, 2],
      [3, 9],
    ] as const;
    const swapped = [table[1], table[0]] as const;
    for (const method of ['woolf', 'exact'] as const) {
      expect(oddsRatio(swapped, { method }).oddsRatio).toBeCloseTo(
        1 / oddsRatio(table, { method }).oddsRatio,
        8,
      );
    }
    const zero = oddsRatio([
      [5, 0],
      [2, 3],
    ]);
    expect(Number.isFinite(zero.ci.high)).toBe(true);
    expect(zero.warnings[0]!.code).toBe('approximation');
    const exact = oddsRatio(
      [
        [5, 0],
        [2, 3],
      ],
      { method: 'exact' },
    );
    expect([exact.oddsRatio, exact.ci.high]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  it('names what is wrong', () => {
    expect(() => wilsonInterval(5, 3)).toThrow('successes: expected at most 3, got 5');
    expect(() => wilsonInterval(-1, 3)).toThrow('successes: expected an integer of at least 0, got -1');
    expect(() => clopperPearsonInterval(0, 0)).toThrow('n: expected an integer of at least 1, got 0');
    expect(() => riskDifference({ successesA: 1, nA: 2, successesB: 4, nB: 3 })).toThrow(
      'data.successesB: expected at most 3',
    );
    expect(() => oddsRatio([[1, 2] as const, [3, 0.5] as const])).toThrow('table[1][1]: expected an integer');
    expect(() => cohensD([1], [1, 2])).toThrow('a: expected at least 2 values, got 1');
    expect(() => cliffsDelta([1, 2], [1, Number.NaN])).toThrow('b[1]: expected a finite number, got NaN');
  });
});
