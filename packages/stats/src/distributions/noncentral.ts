/**
 * Noncentral t, χ² and F: the distributions of the test statistics when the effect is real, hence of power.
 *
 * t: P(T ≤ t) = ∫ Φ(t·s − δ) f(s) ds with s = √(χ²_ν/ν). In u = ln s the integrand is positive, analytic and decays
 * faster than exponentially on both sides, where the plain trapezoidal rule converges geometrically (Trefethen &
 * Weideman 2014). The series of Lenth (AS 243) loses the small tail to cancellation and fails for δ > 37.
 * χ², F: Poisson mixtures of the central tails, summed outwards from the largest term; all terms positive.
 */
import {
  incompleteBetaFromOdds,
  incompleteGamma,
  logNormalCdf,
  normalTails,
  SQRT_TWO_PI,
  stirlingRemainder,
  type Tails,
  xMinusLog1p,
} from '../special/index.js';

const INFINITY = Number.POSITIVE_INFINITY;
const NEGLIGIBLE = 1e-19;

/** Student's t with noncentrality `delta`. */
export const noncentralT = {
  cdf: (t: number, df: number, delta: number): number => noncentralTTail(t, df, delta, 'lower'),
  survival: (t: number, df: number, delta: number): number => noncentralTTail(t, df, delta, 'upper'),
} as const;

/** χ² with noncentrality `lambda` (sum of squared means). */
export const noncentralChiSquared = {
  cdf: (x: number, df: number, lambda: number): number => chiSquaredMixture(x, df, lambda).lower,
  survival: (x: number, df: number, lambda: number): number => chiSquaredMixture(x, df, lambda).upper,
} as const;

/** F with noncentrality `lambda` in the numerator. */
export const noncentralF = {
  cdf: (f: number, df1: number, df2: number, lambda: number): number => fMixture(f, df1, df2, lambda).lower,
  survival: (f: number, df1: number, df2: number, lambda: number): number =>
    fMixture(f, df1, df2, lambda).upper,
} as const;

function noncentralTTail(t: number, df: number, delta: number, side: 'lower' | 'upper'): number {
  if (Number.isNaN(t) || !(df > 0) || !Number.isFinite(delta)) return Number.NaN;
  const sign = side === 'lower' ? 1 : -1;
  if (!Number.isFinite(t)) return t > 0 === sign > 0 ? 1 : 0;
  if (df === INFINITY) return normalTails(sign * (t - delta)).lower;
  const logIntegrand = (u: number): number =>
    df * (u - 0.5 * Math.expm1(2 * u)) + logNormalCdf(sign * (t * Math.exp(u) - delta));
  const scale = (2 * Math.sqrt(df / 2)) / SQRT_TWO_PI;
  const value = scale * Math.exp(-stirlingRemainder(df / 2)) * integrateUnimodal(logIntegrand);
  return Math.min(1, value);
}

/** ∫ exp(g(u)) du over the line for a unimodal g that falls off on both sides. */
function integrateUnimodal(g: (u: number) => number): number {
  const mode = maximise(g);
  const peak = g(mode);
  if (peak < -800) return 0;
  const term = (u: number): number => Math.exp(g(u) - peak);
  let step = initialStep(g, mode, peak);
  let sum = trapezoidal(term, mode, step, 0) + trapezoidal(term, mode, -step, step);
  for (let level = 0; level < 8; level++) {
    // The midpoints of the present grid; sum·step and the refined value agree to the square of the accuracy.
    const midpoints = trapezoidal(term, mode, step, 0.5 * step) + trapezoidal(term, mode, -step, 0.5 * step);
    const converged = Math.abs(midpoints - sum) <= 1e-9 * sum;
    sum += midpoints;
    step /= 2;
    if (converged) break;
  }
  return sum * step * Math.exp(peak);
}

/** Sum of term(origin + direction-signed grid) until negligible; `offset` is the distance of the first point. */
function trapezoidal(term: (u: number) => number, origin: number, step: number, offset: number): number {
  let sum = 0;
  const sign = Math.sign(step);
  for (let k = 0; ; k++) {
    const value = term(origin + sign * offset + k * step);
    sum += value;
    if (value <= NEGLIGIBLE * sum || (value === 0 && k > 0)) return sum;
  }
}

/** A step of about a third of the width at which the integrand has fallen to 1/e. */
function initialStep(g: (u: number) => number, mode: number, peak: number): number {
  let width = 1;
  while (width > 1e-12 && (g(mode + width) < peak - 1 || g(mode - width) < peak - 1)) width /= 2;
  return width / 1.5;
}

/** Mode of a unimodal function: bracket by doubling, then golden section. */
function maximise(g: (u: number) => number): number {
  let step = 0.5;
  let middle = 0;
  const direction = g(1e-4) > g(0) ? 1 : -1;
  while (step < 1e6 && g(middle + direction * step) > g(middle)) {
    middle += direction * step;
    step *= 2;
  }
  let low = middle - step;
  let high = middle + step;
  const golden = 0.6180339887498949;
  let left = high - golden * (high - low);
  let right = low + golden * (high - low);
  let gLeft = g(left);
  let gRight = g(right);
  // The trapezoidal rule does not need the mode itself, only a point well inside the bump.
  for (let i = 0; i < 60 && Math.abs(gLeft - gRight) > 1e-3; i++) {
    if (gLeft < gRight) {
      low = left;
      left = right;
      gLeft = gRight;
      right = low + golden * (high - low);
      gRight = g(right);
    } else {
      high = right;
      right = left;
      gRight = gLeft;
      left = high - golden * (high - low);
      gLeft = g(left);
    }
  }
  return 0.5 * (low + high);
}

function chiSquaredMixture(x: number, df: number, lambda: number): Tails {
  if (!(df > 0 && lambda >= 0) || Number.isNaN(x)) return { lower: Number.NaN, upper: Number.NaN };
  if (x <= 0) return { lower: 0, upper: 1 };
  return poissonMixture(lambda / 2, (j) => incompleteGamma(df / 2 + j, x / 2));
}

function fMixture(f: number, df1: number, df2: number, lambda: number): Tails {
  if (!(df1 > 0 && df2 > 0 && lambda >= 0) || Number.isNaN(f)) {
    return { lower: Number.NaN, upper: Number.NaN };
  }
  if (f <= 0) return { lower: 0, upper: 1 };
  const odds = (df1 / df2) * f;
  return poissonMixture(lambda / 2, (j) => {
    const tails = incompleteBetaFromOdds(df2 / 2, df1 / 2 + j, odds, 0.5 * df1 * (1 - f) + j);
    return { lower: tails.upper, upper: tails.lower };
  });
}

/** Σ_j Poisson(j; mean) · tails(j), each tail summed outwards from its own largest term. */
function poissonMixture(mean: number, tails: (j: number) => Tails): Tails {
  if (mean === 0) return tails(0);
  const cache = new Map<number, Tails>();
  const at = (j: number): Tails => {
    let value = cache.get(j);
    if (value === undefined) {
      value = tails(j);
      cache.set(j, value);
    }
    return value;
  };
  return {
    lower: sumAroundMode(mean, (j) => poissonPmf(j, mean) * at(j).lower),
    upper: sumAroundMode(mean, (j) => poissonPmf(j, mean) * at(j).upper),
  };
}

function sumAroundMode(mean: number, term: (j: number) => number): number {
  let mode = Math.floor(mean);
  while (mode > 0 && term(mode - 1) > term(mode)) mode--;
  while (term(mode + 1) > term(mode)) mode++;
  let sum = 0;
  for (let j = mode; j >= 0; j--) {
    const value = term(j);
    sum += value;
    if (value <= NEGLIGIBLE * sum) break;
  }
  for (let j = mode + 1; ; j++) {
    const value = term(j);
    sum += value;
    if (value <= NEGLIGIBLE * sum) return Math.min(1, sum);
  }
}

function poissonPmf(j: number, mean: number): number {
  if (j === 0) return Math.exp(-mean);
  return (
    Math.exp(-j * xMinusLog1p((mean - j) / j, mean / j) - stirlingRemainder(j)) / (SQRT_TWO_PI * Math.sqrt(j))
  );
}
