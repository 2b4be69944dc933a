/**
 * Standard normal tail, its logarithm and its inverse; erf and erfc follow from it.
 *
 * Sources: DLMF 7.6.2 (series of positive terms), DLMF 7.9.1 (continued fraction of Mills' ratio), Cody (1969)
 * for splitting exp(−z²/2). The quantile starts from Abramowitz & Stegun 26.2.23 and takes Halley steps, so its
 * accuracy is that of the tail itself.
 */
import { continuedFraction } from './continued-fraction.js';
import { HALF_LOG_TWO_PI, SQRT_TWO_PI, type Tails } from './gamma.js';

const SERIES_LIMIT = 2;

/** φ(z), the density; exp(−z²/2) is taken in two parts so that large z keep their digits. */
export function normalDensity(z: number): number {
  if (Math.abs(z) > 40) return 0;
  const high = Math.round(z * 16) / 16;
  return (Math.exp(-0.5 * high * high) * Math.exp(-0.5 * (z - high) * (z + high))) / SQRT_TWO_PI;
}

/** Φ(z) as `lower` and 1 − Φ(z) as `upper`. */
export function normalTails(z: number): Tails {
  if (Number.isNaN(z)) return { lower: Number.NaN, upper: Number.NaN };
  const tail = upperTail(Math.abs(z));
  return z >= 0 ? { lower: 1 - tail, upper: tail } : { lower: tail, upper: 1 - tail };
}

/** ln Φ(z), finite for every finite z. */
export function logNormalCdf(z: number): number {
  if (z > -SERIES_LIMIT) return Math.log1p(-normalTails(z).upper);
  return -0.5 * z * z - HALF_LOG_TWO_PI + Math.log(millsRatio(-z));
}

export function erfc(x: number): number {
  return 2 * normalTails(x * Math.SQRT2).upper;
}

export function erf(x: number): number {
  const z = x * Math.SQRT2;
  return Math.abs(z) < SERIES_LIMIT ? 2 * centralArea(z) : 1 - erfc(x);
}

/** 1 − Φ(z) for z ≥ 0. */
function upperTail(z: number): number {
  if (z > 40) return 0;
  return z < SERIES_LIMIT ? 0.5 - centralArea(z) : normalDensity(z) * millsRatio(z);
}

/** Φ(z) − ½ = φ(z) (z + z³/3 + z⁵/15 + …). */
function centralArea(z: number): number {
  let term = z;
  let sum = z;
  for (let k = 3; ; k += 2) {
    term *= (z * z) / k;
    const next = sum + term;
    if (next === sum) return normalDensity(z) * sum;
    sum = next;
  }
}

/** (1 − Φ(z))/φ(z) = 1/(z + 1/(z + 2/(z + 3/(z + …)))) for z ≥ 2. */
function millsRatio(z: number): number {
  return (
    1 /
    continuedFraction(
      z,
      (n) => n,
      () => z,
    )
  );
}

/** z with Φ(z) = p; p near 1 should come as `normalUpperQuantile(1 − p)` where 1 − p is known directly. */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) return Number.NaN;
  return p < 0.5 ? -normalUpperQuantile(p) : normalUpperQuantile(1 - p);
}

/** z with 1 − Φ(z) = q. */
export function normalUpperQuantile(q: number): number {
  if (!(q >= 0 && q <= 1)) return Number.NaN;
  if (q === 0) return Number.POSITIVE_INFINITY;
  if (q > 0.5) return -normalUpperQuantile(1 - q);
  if (q > 0.1) return centralQuantile(0.5 - q);
  const t = Math.sqrt(-2 * Math.log(q));
  let z =
    t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  // Halley on f = tail(z) − q, f' = −φ, f'' = zφ. The start is within 4.5e-4, two steps suffice, the third is free.
  for (let step = 0; step < 3; step++) {
    const density = normalDensity(z);
    const ratio = density > 0 ? (upperTail(z) - q) / density : 0;
    z += ratio / (1 + 0.5 * z * ratio);
  }
  return z;
}

/** z with Φ(z) − ½ = area, for 0 ≤ area ≤ 0.4: relative accuracy also at area → 0. */
function centralQuantile(area: number): number {
  let z = area * SQRT_TWO_PI;
  for (let step = 0; step < 8; step++) {
    const ratio = (centralArea(z) - area) / normalDensity(z);
    const next = z - ratio / (1 + 0.5 * z * ratio);
    if (next === z) break;
    z = next;
  }
  return z;
}
