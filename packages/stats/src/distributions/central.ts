/**
 * Normal, Student t, χ², F, beta and binomial. Each is a small record of functions: `cdf` and `survival` are both
 * computed directly (survival is never 1 − cdf), `quantile(p)` and `upperQuantile(q)` invert them.
 */
import {
  betaFactor,
  incompleteBeta,
  incompleteBetaFromOdds,
  incompleteGamma,
  meanGap,
  normalDensity,
  normalQuantile,
  normalTails,
  normalUpperQuantile,
  type Tails,
} from '../special/index.js';
import { solveQuantile } from './solve.js';

const INFINITY = Number.POSITIVE_INFINITY;

export const normal = {
  pdf: normalDensity,
  cdf: (z: number): number => normalTails(z).lower,
  survival: (z: number): number => normalTails(z).upper,
  quantile: normalQuantile,
  upperQuantile: normalUpperQuantile,
} as const;

/** Student's t with `df` > 0 degrees of freedom (∞ gives the normal). */
export const studentT = {
  cdf: (t: number, df: number): number => tTails(t, df).lower,
  survival: (t: number, df: number): number => tTails(t, df).upper,
  quantile: (p: number, df: number): number => (p < 0.5 ? -tUpperQuantile(p, df) : tUpperQuantile(1 - p, df)),
  upperQuantile: (q: number, df: number): number =>
    q <= 0.5 ? tUpperQuantile(q, df) : -tUpperQuantile(1 - q, df),
} as const;

export const chiSquared = {
  cdf: (x: number, df: number): number => incompleteGamma(df / 2, Math.max(x, 0) / 2).lower,
  survival: (x: number, df: number): number => incompleteGamma(df / 2, Math.max(x, 0) / 2).upper,
  quantile: (p: number, df: number): number =>
    solveQuantile((x) => incompleteGamma(df / 2, x / 2), { p, q: 1 - p }, df, 0, INFINITY),
  upperQuantile: (q: number, df: number): number =>
    solveQuantile((x) => incompleteGamma(df / 2, x / 2), { p: 1 - q, q }, df, 0, INFINITY),
} as const;

/** Fisher's F with `df1` and `df2` degrees of freedom. */
export const fisherF = {
  cdf: (f: number, df1: number, df2: number): number => fTails(f, df1, df2).lower,
  survival: (f: number, df1: number, df2: number): number => fTails(f, df1, df2).upper,
  quantile: (p: number, df1: number, df2: number): number =>
    solveQuantile((f) => fTails(f, df1, df2), { p, q: 1 - p }, 1, 0, INFINITY),
  upperQuantile: (q: number, df1: number, df2: number): number =>
    solveQuantile((f) => fTails(f, df1, df2), { p: 1 - q, q }, 1, 0, INFINITY),
} as const;

export const beta = {
  cdf: (x: number, a: number, b: number): number => incompleteBeta(a, b, x).lower,
  survival: (x: number, a: number, b: number): number => incompleteBeta(a, b, x).upper,
  quantile: (p: number, a: number, b: number): number =>
    solveQuantile((x) => incompleteBeta(a, b, x), { p, q: 1 - p }, a / (a + b), 0, 1),
  upperQuantile: (q: number, a: number, b: number): number =>
    solveQuantile((x) => incompleteBeta(a, b, x), { p: 1 - q, q }, a / (a + b), 0, 1),
} as const;

/** Successes among `n` trials of probability `p`. */
export const binomial = {
  pmf: binomialPmf,
  /** P(X ≤ k) */
  cdf: (k: number, n: number, p: number): number => {
    if (k < 0) return 0;
    return k >= n ? 1 : incompleteBeta(Math.floor(k) + 1, n - Math.floor(k), p).upper;
  },
  /** P(X > k) */
  survival: (k: number, n: number, p: number): number => {
    if (k < 0) return 1;
    return k >= n ? 0 : incompleteBeta(Math.floor(k) + 1, n - Math.floor(k), p).lower;
  },
} as const;

function tTails(t: number, df: number): Tails {
  if (df === INFINITY || Number.isNaN(t)) return normalTails(t);
  if (!(df > 0)) return { lower: Number.NaN, upper: Number.NaN };
  const upper = 0.5 * incompleteBetaFromOdds(df / 2, 0.5, (t / df) * t, 0.5 * (1 - t) * (1 + t)).lower;
  return t >= 0 ? { lower: 1 - upper, upper } : { lower: upper, upper: 1 - upper };
}

function tUpperQuantile(q: number, df: number): number {
  if (!(q >= 0 && q <= 0.5)) return Number.NaN;
  if (q === 0.5) return 0;
  if (df === INFINITY) return normalUpperQuantile(q);
  return solveQuantile((t) => tTails(t, df), { p: 1 - q, q }, normalUpperQuantile(q), 0, INFINITY);
}

function fTails(f: number, df1: number, df2: number): Tails {
  if (!(df1 > 0 && df2 > 0) || Number.isNaN(f)) return { lower: Number.NaN, upper: Number.NaN };
  if (f <= 0) return { lower: 0, upper: 1 };
  const tails = incompleteBetaFromOdds(df2 / 2, df1 / 2, (df1 / df2) * f, 0.5 * df1 * (1 - f));
  return { lower: tails.upper, upper: tails.lower };
}

function binomialPmf(k: number, n: number, p: number): number {
  if (k < 0 || k > n || !Number.isInteger(k)) return 0;
  if (p === 0 || p === 1) return k === n * p ? 1 : 0;
  if (k === 0) return Math.exp(n * Math.log1p(-p));
  if (k === n) return Math.exp(n * Math.log(p));
  return (betaFactor(k, n - k, p, 1 - p, meanGap(k, n - k, p)) * n) / k / (n - k);
}
