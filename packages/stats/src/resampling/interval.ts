/**
 * Confidence limits from a bootstrap distribution.
 *
 * Sources: Efron & Tibshirani (1993), chapters 12 (studentised), 13 (percentile), 14 (BCa); Davison & Hinkley (1997) 5.2
 * (basic). The acceleration of several strata follows the multi-sample form that scipy.stats.bootstrap uses.
 */
import { normal } from '../distributions/index.js';
import type { Design } from './design.js';

export interface Limits {
  readonly low: number;
  readonly high: number;
}

/** Quantile of ascending values by linear interpolation (type 7, the default of numpy and R). */
export function quantileSorted(sorted: Float64Array, p: number): number {
  const position = Math.min(Math.max(p, 0), 1) * (sorted.length - 1);
  const below = Math.floor(position);
  const lower = sorted[below]!;
  const upper = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return lower + (upper - lower) * (position - below);
}

export function percentileLimits(sorted: Float64Array, confidence: number): Limits {
  const tail = (1 - confidence) / 2;
  return { low: quantileSorted(sorted, tail), high: quantileSorted(sorted, 1 - tail) };
}

/** The percentile limits reflected at the estimate. */
export function basicLimits(sorted: Float64Array, estimate: number, confidence: number): Limits {
  const { low, high } = percentileLimits(sorted, confidence);
  return { low: 2 * estimate - high, high: 2 * estimate - low };
}

/** estimate − t*·standardError with t* the quantiles of (θ* − estimate)/se*. */
export function studentizedLimits(
  sortedT: Float64Array,
  estimate: number,
  standardError: number,
  confidence: number,
): Limits {
  const { low, high } = percentileLimits(sortedT, confidence);
  return { low: estimate - high * standardError, high: estimate - low * standardError };
}

export interface BcaLimits extends Limits {
  /** z₀: median bias of the bootstrap distribution on the normal scale. */
  readonly biasCorrection: number;
}

/** BCa limits; undefined when every θ* lies on one side of the estimate, where z₀ is infinite. */
export function bcaLimits(
  sorted: Float64Array,
  estimate: number,
  acceleration: number,
  confidence: number,
): BcaLimits | undefined {
  const biasCorrection = normal.quantile(shareBelow(sorted, estimate));
  if (!Number.isFinite(biasCorrection)) return undefined;
  const adjusted = (z: number): number => {
    const shifted = biasCorrection + z;
    return normal.cdf(biasCorrection + shifted / (1 - acceleration * shifted));
  };
  const z = normal.upperQuantile((1 - confidence) / 2);
  return {
    low: quantileSorted(sorted, adjusted(-z)),
    high: quantileSorted(sorted, adjusted(z)),
    biasCorrection,
  };
}

/** Share of values below `estimate`, ties (to rounding) counted half. */
function shareBelow(sorted: Float64Array, estimate: number): number {
  const spread = sorted[sorted.length - 1]! - sorted[0]!;
  const tolerance = 1e-12 * (Math.abs(estimate) + spread);
  return (
    (firstAbove(sorted, estimate - tolerance) + firstAbove(sorted, estimate + tolerance)) /
    (2 * sorted.length)
  );
}

/** Index of the first value > bound. */
function firstAbove(sorted: Float64Array, bound: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! > bound) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Acceleration from jackknife values, stratum by stratum; NaN when the jackknife does not vary. */
export function acceleration(design: Pick<Design, 'strata'>, jackknifeValues: Float64Array): number {
  let cubes = 0;
  let squares = 0;
  let start = 0;
  for (const size of design.strata) {
    const values = jackknifeValues.subarray(start, start + size);
    const mean = values.reduce((sum, value) => sum + value, 0) / size;
    let stratumCubes = 0;
    let stratumSquares = 0;
    for (const value of values) {
      const influence = (size - 1) * (mean - value);
      stratumSquares += influence * influence;
      stratumCubes += influence * influence * influence;
    }
    squares += stratumSquares / size ** 2;
    cubes += stratumCubes / size ** 3;
    start += size;
  }
  return cubes / (6 * squares ** 1.5);
}
