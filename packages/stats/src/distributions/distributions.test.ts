/** Protects tails and quantiles of every distribution against 50-digit values, and the identities between them. */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  beta,
  binomial,
  chiSquared,
  fisherF,
  noncentralChiSquared,
  noncentralF,
  noncentralT,
  normal,
  studentT,
} from './index.js';

type Rows = Record<string, number[][]>;
const golden = JSON.parse(
  readFileSync(new URL('./golden/distributions.json', import.meta.url), 'utf8'),
) as Rows;

const relative = (got: number, want: number): number => Math.abs(got - want) / Math.abs(want);

/** Largest relative error over the rows of one golden table; each row ends with the wanted values. */
function worst(table: string, got: (row: number[]) => number[]): number {
  let largest = 0;
  for (const row of golden[table]!) {
    const values = got(row);
    values.forEach((value, i) => {
      const error = relative(value, row[row.length - values.length + i]!);
      if (!(error <= largest)) largest = error;
    });
  }
  return largest;
}

describe('tails against 50-digit values', () => {
  it('Student t, from 1 to a million degrees of freedom', () => {
    expect(worst('studentT', ([t, df]) => [studentT.survival(t!, df!)])).toBeLessThan(1e-12);
    expect(worst('studentT', ([t, df]) => [studentT.cdf(-t!, df!)])).toBeLessThan(1e-12);
    expect(worst('studentTUpperQuantile', ([q, df]) => [studentT.upperQuantile(q!, df!)])).toBeLessThan(
      1e-12,
    );
  });

  it('F and χ²', () => {
    expect(worst('fisherF', ([f, d1, d2]) => [fisherF.survival(f!, d1!, d2!)])).toBeLessThan(1e-12);
    expect(worst('chiSquared', ([x, df]) => [chiSquared.survival(x!, df!)])).toBeLessThan(1e-12);
  });

  it('noncentral t, both tails', () => {
    const got = ([t, df, delta]: number[]): number[] => [
      noncentralT.cdf(t!, df!, delta!),
      noncentralT.survival(t!, df!, delta!),
    ];
    expect(worst('noncentralT', got)).toBeLessThan(1e-12);
  });

  it('noncentral χ² and F, both tails', () => {
    const chi = ([x, df, lambda]: number[]): number[] => [
      noncentralChiSquared.cdf(x!, df!, lambda!),
      noncentralChiSquared.survival(x!, df!, lambda!),
    ];
    const f = ([x, d1, d2, lambda]: number[]): number[] => [
      noncentralF.cdf(x!, d1!, d2!, lambda!),
      noncentralF.survival(x!, d1!, d2!, lambda!),
    ];
    expect(worst('noncentralChiSquared', chi)).toBeLessThan(1e-12);
    expect(worst('noncentralF', f)).toBeLessThan(1e-12);
  });
});

describe('identities', () => {
  it('quantiles invert tails', () => {
    const probability = fc.double({ min: 1e-12, max: 0.5, noNaN: true });
    const df = fc.double({ min: 1, max: 1e5, noNaN: true });
    fc.assert(
      fc.property(probability, df, df, (q, df1, df2) => {
        expect(relative(studentT.survival(studentT.upperQuantile(q, df1), df1), q)).toBeLessThan(1e-10);
        expect(relative(chiSquared.survival(chiSquared.upperQuantile(q, df1), df1), q)).toBeLessThan(1e-10);
        expect(relative(fisherF.survival(fisherF.upperQuantile(q, df1, df2), df1, df2), q)).toBeLessThan(
          1e-10,
        );
        expect(relative(beta.cdf(beta.quantile(q, df1 / 10, df2 / 10), df1 / 10, df2 / 10), q)).toBeLessThan(
          1e-9,
        );
      }),
      { numRuns: 60 },
    );
  });

  it('t² with ν degrees of freedom is F(1, ν), also noncentral', () => {
    const t = fc.double({ min: 0.1, max: 8, noNaN: true });
    const delta = fc.double({ min: 0, max: 6, noNaN: true });
    fc.assert(
      fc.property(t, fc.integer({ min: 1, max: 500 }), delta, (c, df, d) => {
        expect(relative(2 * studentT.survival(c, df), fisherF.survival(c * c, 1, df))).toBeLessThan(1e-12);
        const twoSided = noncentralT.survival(c, df, d) + noncentralT.cdf(-c, df, d);
        expect(relative(twoSided, noncentralF.survival(c * c, 1, df, d * d))).toBeLessThan(1e-11);
      }),
      { numRuns: 60 },
    );
  });

  it('noncentral t without noncentrality is Student t, with infinite degrees of freedom the normal', () => {
    expect(relative(noncentralT.survival(2.1, 17, 0), studentT.survival(2.1, 17))).toBeLessThan(1e-13);
    expect(noncentralT.cdf(2.1, Number.POSITIVE_INFINITY, 1)).toBe(normal.cdf(1.1));
  });

  it('binomial masses sum to the distribution function', () => {
    for (const [n, p] of [
      [1, 0.3],
      [13, 0.5],
      [60, 0.02],
      [400, 0.97],
    ] as const) {
      let sum = 0;
      for (let k = 0; k <= n; k++) {
        sum += binomial.pmf(k, n, p);
        if (sum > 1e-290) expect(relative(binomial.cdf(k, n, p), sum)).toBeLessThan(1e-12);
      }
      expect(binomial.survival(n - 1, n, p)).toBeCloseTo(p ** n, 14);
    }
    expect(binomial.cdf(-1, 5, 0.5)).toBe(0);
    expect(binomial.survival(-1, 5, 0.5)).toBe(1);
    expect([binomial.pmf(0, 4, 0), binomial.pmf(4, 4, 1), binomial.pmf(1.5, 4, 0.5)]).toEqual([1, 1, 0]);
  });

  it('quantiles at 0 and 1 are the ends of the support', () => {
    expect(chiSquared.quantile(0, 3)).toBe(0);
    expect(chiSquared.quantile(1, 3)).toBe(Number.POSITIVE_INFINITY);
    expect(studentT.upperQuantile(0, 3)).toBe(Number.POSITIVE_INFINITY);
    expect(studentT.quantile(0.5, 3)).toBe(0);
    expect(studentT.quantile(0.025, 9)).toBe(-studentT.upperQuantile(0.025, 9));
    expect(beta.quantile(2, 1, 1)).toBeNaN();
  });
});
