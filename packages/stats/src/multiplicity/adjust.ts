/**
 * Adjusted p-values for several tests at once.
 *
 * Sources: Bonferroni; Holm (1979); Šidák (1967) and its step-down form; Hochberg (1988); Benjamini & Hochberg (1995);
 * Benjamini & Yekutieli (2001). Names follow statsmodels. An adjusted p-value is the smallest level at which its test
 * would be rejected, so `reject` is simply adjusted ≤ alpha.
 */
import { StatsError } from '../errors.js';
import { closedUnit, describe, type NumericArray, oneOf, openUnit } from '../input/index.js';

export const CORRECTIONS = [
  'bonferroni',
  'holm',
  'sidak',
  'holm-sidak',
  'hochberg',
  'fdr_bh',
  'fdr_by',
] as const;
export type Correction = (typeof CORRECTIONS)[number];

export interface AdjustedPValues {
  /** In the order of the input. */
  readonly adjusted: readonly number[];
  readonly reject: readonly boolean[];
  readonly method: Correction;
  readonly alpha: number;
  /** Number of tests in the family. */
  readonly n: number;
  /** What the method controls: 'fdr' the share of false rejections, 'fwer' the chance of any. */
  readonly controls: 'fwer' | 'fdr';
}

/** @throws {StatsError} for an empty family or a value outside [0, 1], with its index */
export function adjustPValues(pValues: NumericArray, method: Correction, alpha = 0.05): AdjustedPValues {
  oneOf(method, CORRECTIONS, 'method');
  openUnit(alpha, 'alpha');
  if (!(typeof pValues === 'object' && pValues !== null && pValues.length > 0)) {
    throw new StatsError(`expected at least 1 p-value, got ${describe(pValues?.length ?? pValues)}`, {
      argument: 'pValues',
    });
  }
  const p = Array.from(pValues, (value, i) => closedUnit(value, 'pValues', i));
  const adjusted = adjust(p, method);
  return {
    adjusted,
    reject: adjusted.map((value) => value <= alpha),
    method,
    alpha,
    n: p.length,
    controls: method.startsWith('fdr') ? 'fdr' : 'fwer',
  };
}

function adjust(p: readonly number[], method: Correction): number[] {
  const m = p.length;
  switch (method) {
    case 'bonferroni':
      return p.map((value) => Math.min(1, m * value));
    case 'sidak':
      return p.map((value) => sidak(value, m));
    case 'holm':
      return stepDown(p, (value, rank) => (m - rank + 1) * value);
    case 'holm-sidak':
      return stepDown(p, (value, rank) => sidak(value, m - rank + 1));
    case 'hochberg':
      return stepUp(p, (value, rank) => (m - rank + 1) * value);
    case 'fdr_bh':
      return stepUp(p, (value, rank) => (m / rank) * value);
    case 'fdr_by': {
      let harmonic = 0;
      for (let k = 1; k <= m; k++) harmonic += 1 / k;
      return stepUp(p, (value, rank) => ((m * harmonic) / rank) * value);
    }
  }
}

/** 1 − (1−p)^m without cancellation for small p. */
function sidak(p: number, m: number): number {
  return -Math.expm1(m * Math.log1p(-p));
}

/** From the smallest p-value up: each adjusted value is at least its predecessor. */
function stepDown(p: readonly number[], scale: (value: number, rank: number) => number): number[] {
  const adjusted = new Array<number>(p.length);
  let largest = 0;
  ascending(p).forEach((index, k) => {
    largest = Math.max(largest, Math.min(1, scale(p[index]!, k + 1)));
    adjusted[index] = largest;
  });
  return adjusted;
}

/** From the largest p-value down: each adjusted value is at most its successor. */
function stepUp(p: readonly number[], scale: (value: number, rank: number) => number): number[] {
  const adjusted = new Array<number>(p.length);
  let smallest = 1;
  const order = ascending(p);
  for (let k = order.length - 1; k >= 0; k--) {
    smallest = Math.min(smallest, scale(p[order[k]!]!, k + 1));
    adjusted[order[k]!] = smallest;
  }
  return adjusted;
}

function ascending(p: readonly number[]): number[] {
  return p.map((_, i) => i).sort((i, j) => p[i]! - p[j]!);
}
