/**
 * The regularised incomplete beta function I_x(a, b), both tails.
 *
 * Sources: Didonato & Morris (1992), "Significant digit computation of the incomplete beta function ratios"
 * (the continued fraction, ACM TOMS 708), Loader (2000) for the common factor x^a y^b / B(a, b), Dekker (1971)
 * for the exact product. The split at the mean a/(a+b) keeps the tail that is computed directly below about
 * one half for a, b ≥ ½, so that its complement loses no digits either.
 *
 * All of it rests on λ = a − (a+b)x, which cancels near the mean. Callers who know λ better than x can tell
 * (Student's t and F do) pass it in.
 */
import { continuedFraction } from './continued-fraction.js';
import type { Tails } from './gamma.js';
import { SQRT_TWO_PI } from './gamma.js';
import { stirlingRemainder, xMinusLog1p } from './stirling.js';

/** I_x(a, b) as `lower`, 1 − I_x(a, b) as `upper`; a, b > 0 and 0 ≤ x ≤ 1. */
export function incompleteBeta(a: number, b: number, x: number): Tails {
  if (!(a > 0 && b > 0 && x >= 0 && x <= 1)) return { lower: Number.NaN, upper: Number.NaN };
  return incompleteBetaCore(a, b, x, 1 - x, meanGap(a, b, x));
}

/**
 * I_x(a, b) for x = 1/(1+odds), where `gap` = b − a·odds is given exactly: the form in which t and F arrive.
 */
export function incompleteBetaFromOdds(a: number, b: number, odds: number, gap: number): Tails {
  if (odds === Number.POSITIVE_INFINITY) return { lower: 0, upper: 1 };
  const x = 1 / (1 + odds);
  return incompleteBetaCore(a, b, x, odds * x, -gap * x);
}

function incompleteBetaCore(a: number, b: number, x: number, y: number, lambda: number): Tails {
  if (x === 0) return { lower: 0, upper: 1 };
  if (y === 0) return { lower: 1, upper: 0 };
  const factor = betaFactor(a, b, x, y, lambda);
  if (lambda >= 0) {
    const lower = factor / fraction(a, b, x, y, lambda);
    return { lower, upper: 1 - lower };
  }
  const upper = factor / fraction(b, a, y, x, -lambda);
  return { lower: 1 - upper, upper };
}

/** x^a y^b / B(a, b), with y = 1 − x and λ = a − (a+b)x. */
export function betaFactor(a: number, b: number, x: number, y: number, lambda: number): number {
  const n = a + b;
  const deviance = a * xMinusLog1p(-lambda / a, (x * n) / a) + b * xMinusLog1p(lambda / b, (y * n) / b);
  const remainder = stirlingRemainder(n) - stirlingRemainder(a) - stirlingRemainder(b);
  return (Math.sqrt((a / n) * b) / SQRT_TWO_PI) * Math.exp(remainder - deviance);
}

/** The continued fraction of Didonato & Morris (their eq. 9) whose reciprocal times the factor is I_x. */
function fraction(a: number, b: number, x: number, y: number, lambda: number): number {
  const denominator = (m: number): number =>
    m + (m * (b - m) * x) / (a + 2 * m - 1) + ((a + m) / (a + 2 * m + 1)) * (lambda + 1 + m * (1 + y));
  return continuedFraction(
    (a * (lambda + 1)) / (a + 1),
    (m) => {
      const scale = a + 2 * m - 1;
      return ((a + m - 1) / scale) * ((a + b + m - 1) / scale) * m * (b - m) * x * x;
    },
    denominator,
  );
}

/** a − (a+b)x with the product and the sum exact before the last rounding. */
export function meanGap(a: number, b: number, x: number): number {
  const n = a + b;
  const larger = Math.max(a, b);
  const nError = Math.min(a, b) - (n - larger);
  const product = n * x;
  const productError = productTail(n, x, product);
  return a - product - productError - nError * x;
}

/** n·x − fl(n·x) by Veltkamp splitting: doubles have no fused multiply-add in JavaScript. */
function productTail(n: number, x: number, product: number): number {
  const nHigh = highHalf(n);
  const xHigh = highHalf(x);
  const nLow = n - nHigh;
  const xLow = x - xHigh;
  return nLow * xLow - (product - nHigh * xHigh - nLow * xHigh - nHigh * xLow);
}

function highHalf(value: number): number {
  const scaled = 134217729 * value;
  return scaled - (scaled - value);
}
