/**
 * Paired bootstrap test of equal means, centred under H0.
 *
 * The bootstrap distribution of a difference is centred on the observed difference, not on zero: comparing it with the
 * observed value without centring gives p ≈ 0.5 for every effect. Here T* = (Δ* − Δ)/se* is compared with T = Δ/se
 * (Efron & Tibshirani 1993, 16.4; studentised after Hall & Wilson 1991), and p = (1 + #extreme)/(1 + resamples), which is
 * never zero. Studentising is what holds the level at twenty items; `statistic: 'difference'` is the plain form.
 */
import type { Warning } from '../errors.js';
import { integerAtLeast, type LabelArray, type NumericArray, oneOf, openUnit } from '../input/index.js';
import {
  type Design,
  makeDesign,
  makeStatistic,
  quantileSorted,
  requireResamples,
  resampleDistribution,
  type Threads,
} from '../resampling/index.js';
import { type Alternative, type ConfidenceInterval, requireAlternative, type TestResult } from './result.js';

export interface PairedBootstrapOptions {
  readonly alternative?: Alternative;
  /** Default 10 000. */
  readonly resamples?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Cluster of each pair; whole clusters are resampled. */
  readonly clusters?: LabelArray | undefined;
  /** Default 'studentized'. */
  readonly statistic?: 'studentized' | 'difference';
  readonly confidence?: number;
  readonly threads?: Threads;
}

export interface PairedBootstrapResult extends TestResult {
  /** Mean of a − b. */
  readonly difference: number;
  /** Standard deviation of the bootstrap distribution of the difference. */
  readonly standardError: number;
  /** Interval from the same resamples as the p-value. */
  readonly ci: ConfidenceInterval;
  readonly resamples: number;
  readonly seed: number;
}

/** @throws {StatsError} for fewer than 2 pairs or clusters, mismatched lengths, or a NaN (with its index) */
export function pairedBootstrapTest(
  a: NumericArray,
  b: NumericArray,
  options: PairedBootstrapOptions = {},
): PairedBootstrapResult {
  const alternative = requireAlternative(options.alternative);
  const form = oneOf(options.statistic ?? 'studentized', ['studentized', 'difference'], 'options.statistic');
  const confidence = openUnit(options.confidence ?? 0.95, 'options.confidence');
  const resamples = requireResamples(options.resamples ?? 10_000);
  const seed = integerAtLeast(options.seed ?? 0, Number.MIN_SAFE_INTEGER, 'options.seed');
  const design = makeDesign({ a, b, paired: true }, { clusters: options.clusters });
  const studentized = form === 'studentized';
  const mean = makeStatistic(design, 'mean', studentized);
  if (mean.kind !== 'sums') throw new TypeError('the mean is a statistic of sums');
  const observedSums = Float64Array.from(mean.columns, (column) => column.reduce((sum, x) => sum + x, 0));
  const rounding = 1e-14 * largestMagnitude(design);
  const raw = mean.value(observedSums, 0, -1);
  const difference = Math.abs(raw) <= rounding ? 0 : raw;
  const error = studentized ? mean.standardError!(observedSums, 0) : 1;

  const run = { resamples, seed, threads: options.threads ?? 'auto' } as const;
  const { values, standardErrors } = resampleDistribution(design, mean, run, studentized);
  const ratio = (deviation: number, se: number): number =>
    Math.abs(deviation) <= rounding
      ? 0
      : se > rounding
        ? deviation / se
        : deviation * Number.POSITIVE_INFINITY;
  const observed = ratio(difference, error);
  const replicates = values.map((value, r) => ratio(value - raw, standardErrors?.[r] ?? 1));

  const pValue = (1 + countExtreme(replicates, observed, alternative)) / (1 + resamples);
  return {
    method: `paired bootstrap, ${form}, centred under H0${design.clustered ? ', by cluster' : ''}`,
    statistic: observed,
    pValue,
    alternative,
    n: design.n,
    ...(design.clusters === undefined ? {} : { clusters: design.clusters }),
    difference,
    standardError: deviationOf(values),
    ci: { ...limits(replicates, difference, error, confidence), confidence },
    resamples,
    seed,
    warnings: warningsFor(design, error <= rounding && studentized, resamples),
  };
}

function countExtreme(replicates: Float64Array, observed: number, alternative: Alternative): number {
  // Equal outcomes must count as equal although they were summed in another order.
  const slack = Number.isFinite(observed) ? 1e-9 * Math.abs(observed) : 0;
  let count = 0;
  for (const value of replicates) {
    if (alternative === 'two-sided') count += Math.abs(value) >= Math.abs(observed) - slack ? 1 : 0;
    else if (alternative === 'greater') count += value >= observed - slack ? 1 : 0;
    else count += value <= observed + slack ? 1 : 0;
  }
  return count;
}

function limits(
  replicates: Float64Array,
  difference: number,
  error: number,
  confidence: number,
): { low: number; high: number } {
  const sorted = replicates.filter(Number.isFinite).sort();
  if (sorted.length === 0) return { low: difference, high: difference };
  const tail = (1 - confidence) / 2;
  return {
    low: difference - quantileSorted(sorted, 1 - tail) * error,
    high: difference - quantileSorted(sorted, tail) * error,
  };
}

function warningsFor(design: Design, constant: boolean, resamples: number): Warning[] {
  const warnings: Warning[] = [];
  if (constant) {
    warnings.push({
      code: 'constant-data',
      message: 'All differences are equal; resampling cannot tell how uncertain the difference is.',
    });
  }
  if (design.units < 10) {
    warnings.push({
      code: design.clustered ? 'few-clusters' : 'small-sample',
      message: `Only ${design.units} ${design.clustered ? 'clusters' : 'pairs'}: prefer permutationTest, which is exact there.`,
    });
  }
  if (resamples < 999) {
    warnings.push({
      code: 'few-resamples',
      message: `The smallest p-value that ${resamples} resamples can show is ${(1 / (resamples + 1)).toPrecision(2)}.`,
    });
  }
  return warnings;
}

function largestMagnitude(design: Design): number {
  let most = 0;
  for (const group of design.groups) for (const value of group.values) most = Math.max(most, Math.abs(value));
  return most;
}

function deviationOf(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(
    values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1),
  );
}
