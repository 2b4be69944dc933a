/** Protects monotonicity and order of the corrections, and their errors. Values are in golden/references.test.ts. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adjustPValues, CORRECTIONS, type Correction } from './adjust.js';

const family = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 });
const method = fc.constantFrom<Correction>(...CORRECTIONS);

describe('adjustPValues', () => {
  it('never lowers a p-value, never leaves [0, 1], and keeps the order', () => {
    fc.assert(
      fc.property(family, method, (p, correction) => {
        const { adjusted, reject } = adjustPValues(p, correction, 0.05);
        p.forEach((value, i) => {
          expect(adjusted[i]!).toBeGreaterThanOrEqual(value * (1 - 1e-12));
          expect(adjusted[i]!).toBeLessThanOrEqual(1);
          expect(reject[i]).toBe(adjusted[i]! <= 0.05);
          p.forEach((other, j) => {
            if (value < other) expect(adjusted[i]!).toBeLessThanOrEqual(adjusted[j]!);
          });
        });
      }),
    );
  });

  it('raising one p-value lowers no adjusted value', () => {
    fc.assert(
      fc.property(
        family,
        method,
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (p, correction, at, share) => {
          const i = at % p.length;
          const raised = p.with(i, p[i]! + share * (1 - p[i]!));
          const before = adjustPValues(p, correction).adjusted;
          const after = adjustPValues(raised, correction).adjusted;
          before.forEach((value, k) => {
            expect(after[k]!).toBeGreaterThanOrEqual(value * (1 - 1e-12));
          });
        },
      ),
    );
  });

  it('does not depend on the order of the tests', () => {
    fc.assert(
      fc.property(family, method, (p, correction) => {
        const forward = adjustPValues(p, correction).adjusted;
        const backward = adjustPValues(p.toReversed(), correction).adjusted;
        expect(backward.toReversed()).toEqual(forward);
      }),
    );
  });

  it('orders the methods by strictness', () => {
    fc.assert(
      fc.property(family, (p) => {
        const by = (correction: Correction): readonly number[] => adjustPValues(p, correction).adjusted;
        const chains: Correction[][] = [
          ['fdr_bh', 'hochberg', 'holm', 'bonferroni'],
          ['holm-sidak', 'sidak', 'bonferroni'],
          ['holm-sidak', 'holm'],
          ['fdr_bh', 'fdr_by'],
        ];
        for (const chain of chains) {
          for (let k = 1; k < chain.length; k++) {
            by(chain[k]!).forEach((strict, i) => {
              expect(by(chain[k - 1]!)[i]!).toBeLessThanOrEqual(strict * (1 + 1e-12) + 1e-15);
            });
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('leaves a single test alone and keeps tiny p-values', () => {
    for (const correction of CORRECTIONS) {
      const { adjusted, n } = adjustPValues([0.03], correction);
      expect(adjusted[0]).toBeCloseTo(0.03, 15);
      expect(n).toBe(1);
    }
    expect(adjustPValues([1e-300, 0.5], 'sidak').adjusted[0]).toBeCloseTo(2e-300, 310);
    expect(adjustPValues([0.1], 'fdr_bh').controls).toBe('fdr');
    expect(adjustPValues([0.1], 'holm').controls).toBe('fwer');
  });

  it('names argument and index of wrong input', () => {
    expect(() => adjustPValues([0.1, -0.2], 'holm')).toThrow(
      'pValues[1]: expected a number from 0 to 1, got -0.2',
    );
    expect(() => adjustPValues([0.1, Number.NaN], 'holm')).toThrow(
      'pValues[1]: expected a number from 0 to 1, got NaN',
    );
    expect(() => adjustPValues([], 'holm')).toThrow('pValues: expected at least 1 p-value, got 0');
    expect(() => adjustPValues([0.1], 'holms' as Correction)).toThrow("method: expected one of 'bonferroni'");
    expect(() => adjustPValues([0.1], 'holm', 0)).toThrow(
      'alpha: expected a number strictly between 0 and 1, got 0',
    );
  });
});
