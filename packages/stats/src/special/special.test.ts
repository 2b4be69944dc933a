/** Protects the accuracy promise: relative error at most 1e-12 against 60-digit values over wide ranges. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  erf,
  erfc,
  incompleteBeta,
  incompleteGamma,
  logGamma,
  logNormalCdf,
  normalQuantile,
  normalTails,
  normalUpperQuantile,
  xMinusLog1p,
} from './index.js';

type Rows = Record<string, number[][]>;
const golden = JSON.parse(readFileSync(new URL('./golden/special.json', import.meta.url), 'utf8')) as Rows;

function worst(rows: number[][], errors: (row: number[]) => number[]): number {
  let largest = 0;
  for (const row of rows) largest = Math.max(largest, ...errors(row));
  return largest;
}

const relative = (got: number, want: number): number => Math.abs(got - want) / Math.abs(want);

describe('special functions against 60-digit values', () => {
  it('incomplete beta: both tails, shapes 0.1 … 1e6, values down to 1e-300', () => {
    const error = worst(golden.incompleteBeta!, ([a, b, x, lower, upper]) => {
      const tails = incompleteBeta(a!, b!, x!);
      return [relative(tails.lower, lower!), relative(tails.upper, upper!)];
    });
    expect(error).toBeLessThan(1e-12);
  });

  it('incomplete gamma: both tails, shapes 0.01 … 1e5', () => {
    const error = worst(golden.incompleteGamma!, ([a, x, lower, upper]) => {
      const tails = incompleteGamma(a!, x!);
      return [relative(tails.lower, lower!), relative(tails.upper, upper!)];
    });
    expect(error).toBeLessThan(1e-12);
  });

  it('log gamma, also next to its zeros', () => {
    expect(worst(golden.logGamma!, ([x, value]) => [relative(logGamma(x!), value!)])).toBeLessThan(2e-15);
  });

  it('normal tails to 37 standard deviations', () => {
    const error = worst(golden.normal!, ([z, lower, upper]) => {
      const tails = normalTails(z!);
      const mirrored = normalTails(-z!);
      return [relative(tails.lower, lower!), relative(tails.upper, upper!), relative(mirrored.lower, upper!)];
    });
    expect(error).toBeLessThan(2e-14);
  });

  it('normal quantile down to 1e-300', () => {
    const error = worst(golden.normalUpperQuantile!, ([q, z]) => [
      relative(normalUpperQuantile(q!), z!),
      relative(-normalQuantile(q!), z!),
    ]);
    expect(error).toBeLessThan(1e-14);
  });
});

describe('edges', () => {
  it('tails are 0 and 1 at the ends of the support', () => {
    expect(incompleteBeta(2, 3, 0)).toEqual({ lower: 0, upper: 1 });
    expect(incompleteBeta(2, 3, 1)).toEqual({ lower: 1, upper: 0 });
    expect(incompleteGamma(2, 0)).toEqual({ lower: 0, upper: 1 });
    expect(incompleteGamma(2, Number.POSITIVE_INFINITY)).toEqual({ lower: 1, upper: 0 });
    expect(normalTails(Number.POSITIVE_INFINITY)).toEqual({ lower: 1, upper: 0 });
    expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
    expect(normalQuantile(0.5)).toBeCloseTo(0, 15);
  });

  it('arguments outside the domain give NaN, never a number', () => {
    for (const tails of [incompleteBeta(-1, 2, 0.5), incompleteBeta(1, 2, 1.5), incompleteGamma(1, -1)]) {
      expect(tails.lower).toBeNaN();
      expect(tails.upper).toBeNaN();
    }
    expect(logGamma(-1)).toBeNaN();
    expect(normalQuantile(1.1)).toBeNaN();
  });

  it('erf, erfc and the log of the normal tail agree with the normal tails', () => {
    for (const x of [0, 0.3, 1, 2.5]) {
      expect(erf(x) + erfc(x)).toBeCloseTo(1, 14);
      expect(erf(-x)).toBeCloseTo(-erf(x), 15);
    }
    for (const z of [-37, -5, -2.0001, -1.9999, 0, 3]) {
      expect(relative(Math.exp(logNormalCdf(z)), normalTails(z).lower)).toBeLessThan(1e-12);
    }
  });

  it('u − ln(1+u) joins its series and its direct form', () => {
    for (const edge of [-0.5, 1]) {
      expect(relative(xMinusLog1p(edge * (1 - 1e-12)), xMinusLog1p(edge * (1 + 1e-12)))).toBeLessThan(1e-11);
    }
  });
});
