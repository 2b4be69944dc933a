/**
 * Bootstrap distributions of many aligned pairs at once.
 *
 * Pairs over the same items (equal keys) put their columns side by side; each resample then costs one set of draws and one
 * pass over the columns. A column is a per-unit total of centred scores, a further one counts items when units are clusters.
 */
import type { Limits } from '../resampling/index.js';
import {
  acceleration,
  bcaLimits,
  percentileLimits,
  resampleSums,
  sharedFloat64,
} from '../resampling/index.js';
import type { AlignedPair } from './align.js';
import type { ComparisonSettings } from './compare.js';

export interface SharedResamples {
  readonly baselineMean: number;
  readonly methodMean: number;
  /** Confidence limits from the items alone. */
  readonly baselineLimits: Limits;
  readonly methodLimits: Limits;
  readonly differenceLimits: Limits;
  /** Bootstrap variance of the difference, from the items alone, corrected by G/(G−1). */
  readonly differenceVariance: number;
}

/** One result per pair, in order. */
export function resamplePairs(
  pairs: readonly AlignedPair[],
  settings: ComparisonSettings,
): SharedResamples[] {
  const out = new Array<SharedResamples>(pairs.length);
  const groups = new Map<string, number[]>();
  pairs.forEach(({ key }, i) => {
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [i]);
    else members.push(i);
  });
  for (const members of groups.values()) {
    resampleGroup(
      members.map((i) => pairs[i]!),
      settings,
    ).forEach((result, k) => {
      out[members[k]!] = result;
    });
  }
  return out;
}

interface Column {
  readonly mean: number;
  /** Centred totals per unit. */
  readonly totals: Float64Array;
}

function resampleGroup(pairs: readonly AlignedPair[], settings: ComparisonSettings): SharedResamples[] {
  const { unitOf, units, clustered } = pairs[0]!;
  const columns: Column[] = [];
  const known = new Map<string, number>();
  const columnOf = (scores: Float64Array): number => {
    // The baseline of a metric comes back with every method: equal bytes are one column.
    const fingerprint = Buffer.from(scores.buffer, scores.byteOffset, scores.byteLength).toString('latin1');
    let index = known.get(fingerprint);
    if (index === undefined) {
      index = columns.length;
      known.set(fingerprint, index);
      columns.push(makeColumn(scores, unitOf, units));
    }
    return index;
  };
  const indices = pairs.map((pair) => [columnOf(pair.baseline), columnOf(pair.method)] as const);
  const sizes = sharedFloat64(units);
  for (const unit of unitOf) sizes[unit]! += 1;
  const all = columns.map((column) => column.totals);
  if (clustered) all.push(sizes);
  const sums = resampleSums(Int32Array.of(units), all, settings);
  const width = all.length;
  const n = unitOf.length;

  const resampled = (index: number): Float64Array => {
    const values = new Float64Array(settings.resamples);
    const { mean } = columns[index]!;
    for (let r = 0; r < values.length; r++) {
      const size = clustered ? sums[r * width + width - 1]! : n;
      values[r] = mean + sums[r * width + index]! / size;
    }
    return values;
  };
  /** Value of a column without each unit. */
  const leaveOneOut = (index: number): Float64Array => {
    const { mean, totals } = columns[index]!;
    return totals.map((total, u) => mean - total / (n - sizes[u]!));
  };
  const cache = new Map<number, { values: Float64Array; without: Float64Array; limits: Limits }>();
  const column = (index: number): { values: Float64Array; without: Float64Array; limits: Limits } => {
    let entry = cache.get(index);
    if (entry === undefined) {
      const values = resampled(index);
      const without = leaveOneOut(index);
      entry = {
        values,
        without,
        limits: limitsOf(values, columns[index]!.mean, without, settings.confidence),
      };
      cache.set(index, entry);
    }
    return entry;
  };
  return indices.map(([base, method]) => {
    const a = column(method);
    const b = column(base);
    const baselineMean = columns[base]!.mean;
    const methodMean = columns[method]!.mean;
    const difference = a.values.map((value, r) => value - b.values[r]!);
    const without = a.without.map((value, u) => value - b.without[u]!);
    return {
      baselineMean,
      methodMean,
      baselineLimits: b.limits,
      methodLimits: a.limits,
      differenceLimits: limitsOf(difference, methodMean - baselineMean, without, settings.confidence),
      differenceVariance: (varianceOf(difference) * units) / (units - 1),
    };
  });
}

function makeColumn(scores: Float64Array, unitOf: Int32Array, units: number): Column {
  const mean = scores.reduce((sum, value) => sum + value, 0) / scores.length;
  const totals = sharedFloat64(units);
  for (let i = 0; i < scores.length; i++) totals[unitOf[i]!]! += scores[i]! - mean;
  return { mean, totals };
}

/** BCa limits; percentile limits where BCa is not defined; a point for constant data. */
function limitsOf(values: Float64Array, estimate: number, without: Float64Array, confidence: number): Limits {
  const sorted = values.slice().sort();
  const tolerance = 1e-12 * Math.max(Math.abs(estimate), Math.abs(sorted[0]!));
  if (sorted[sorted.length - 1]! - sorted[0]! <= tolerance) return { low: estimate, high: estimate };
  const rate = acceleration({ strata: Int32Array.of(without.length) }, without);
  const bca = Number.isFinite(rate) ? bcaLimits(sorted, estimate, rate, confidence) : undefined;
  const { low, high } = bca ?? percentileLimits(sorted, confidence);
  return { low, high };
}

function varianceOf(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
}
