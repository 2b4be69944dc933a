/**
 * Student's and Welch's t tests, plain and cluster-robust.
 *
 * With `clusters` the standard error treats a cluster as one observation (sum of residuals, factor G/(G−1)) and the
 * degrees of freedom count clusters: questions about one context share its difficulty, and ignoring that makes standard
 * errors up to three times too small (Miller 2024, "Adding error bars to evals"; Cameron & Miller 2015).
 */
import { studentT } from '../distributions/index.js';
import { StatsError, type Warning } from '../errors.js';
import {
  differences,
  finiteArray,
  finiteNumber,
  type Grouping,
  grouping,
  type LabelArray,
  type NumericArray,
  openUnit,
  pairedArrays,
} from '../input/index.js';
import { type Alternative, type ConfidenceInterval, requireAlternative, type TestResult } from './result.js';

export interface TTestResult extends TestResult {
  /** Mean of a minus mean of b. */
  readonly difference: number;
  readonly standardError: number;
  readonly degreesOfFreedom: number;
  /** For the difference; one-sided alternatives give a one-sided interval. */
  readonly ci: ConfidenceInterval;
  readonly means: readonly [number, number];
  readonly standardDeviations: readonly [number, number];
}

export interface PairedTTestOptions {
  readonly alternative?: Alternative;
  readonly confidence?: number;
  /** Cluster of each pair. */
  readonly clusters?: LabelArray | undefined;
}

/** Paired t test of mean(a − b) = 0. @throws {StatsError} for fewer than 2 pairs or clusters */
export function pairedTTest(a: NumericArray, b: NumericArray, options: PairedTTestOptions = {}): TTestResult {
  const [left, right] = pairedArrays(a, b, 2);
  const clusters = clusterGrouping(options.clusters, left.length, 'options.clusters');
  const gap = differences(left, right);
  const mean = meanOf(gap);
  const rounding = 1e-14 * Math.max(largest(left), largest(right));
  const { standardError, units } = errorOfMean(gap, mean, clusters, rounding);
  return finish(
    {
      method: clusters ? 'paired t test, cluster-robust' : 'paired t test',
      difference: Math.abs(mean) <= rounding ? 0 : mean,
      standardError,
      degreesOfFreedom: units - 1,
      means: [meanOf(left), meanOf(right)],
      standardDeviations: [deviation(left), deviation(right)],
      n: [left.length],
      ...(clusters ? { clusters: [units] } : {}),
    },
    options,
    clusters ? { units, unit: 'clusters' } : { units, unit: 'pairs' },
  );
}

export interface IndependentTTestOptions {
  /** Pool the variances (Student); default false (Welch). */
  readonly equalVariance?: boolean;
  readonly alternative?: Alternative;
  readonly confidence?: number;
  /** Cluster of each item, for each sample. */
  readonly clusters?: { readonly a: LabelArray; readonly b: LabelArray } | undefined;
}

/** Unpaired t test of mean(a) = mean(b). @throws {StatsError} for fewer than 2 values on a side */
export function independentTTest(
  a: NumericArray,
  b: NumericArray,
  options: IndependentTTestOptions = {},
): TTestResult {
  const left = finiteArray(a, 'a', 2);
  const right = finiteArray(b, 'b', 2);
  if (options.equalVariance && options.clusters) {
    throw new StatsError('expected false with clusters, got true', {
      argument: 'options.equalVariance',
      hint: 'The cluster-robust test is Welch’s; variances are not pooled.',
    });
  }
  const groups = [left, right].map((values, side) => {
    const name = side === 0 ? 'a' : 'b';
    const clusters = clusterGrouping(options.clusters?.[name], values.length, `options.clusters.${name}`);
    const mean = meanOf(values);
    return { mean, ...errorOfMean(values, mean, clusters, 1e-14 * largest(values)) };
  });
  const [first, second] = groups as [(typeof groups)[0], (typeof groups)[0]];
  const pooled = options.equalVariance ? pooledError(left, right) : undefined;
  const standardError = pooled?.standardError ?? Math.hypot(first.standardError, second.standardError);
  const welch = options.clusters ? 'Welch t test, cluster-robust' : 'Welch t test';
  return finish(
    {
      method: pooled ? 'Student t test, equal variances' : welch,
      difference: first.mean - second.mean,
      standardError,
      degreesOfFreedom: pooled?.degreesOfFreedom ?? satterthwaite(first, second),
      means: [first.mean, second.mean],
      standardDeviations: [deviation(left), deviation(right)],
      n: [left.length, right.length],
      ...(options.clusters ? { clusters: [first.units, second.units] } : {}),
    },
    options,
    { units: Math.min(first.units, second.units), unit: options.clusters ? 'clusters' : 'values' },
  );
}

type Core = Omit<TTestResult, 'statistic' | 'pValue' | 'alternative' | 'ci' | 'warnings'>;

function finish(
  core: Core,
  options: { readonly alternative?: Alternative; readonly confidence?: number },
  size: { readonly units: number; readonly unit: string },
): TTestResult {
  const alternative = requireAlternative(options.alternative);
  const confidence = openUnit(options.confidence ?? 0.95, 'options.confidence');
  const { difference, standardError } = core;
  const degreesOfFreedom = Number.isNaN(core.degreesOfFreedom) ? 1 : core.degreesOfFreedom;
  const warnings: Warning[] = [];
  if (standardError === 0) {
    warnings.push({
      code: 'constant-data',
      message: 'The data do not vary; the test knows only whether the difference is zero.',
    });
  }
  if (size.units < 5) {
    warnings.push({
      code: size.unit === 'clusters' ? 'few-clusters' : 'small-sample',
      message: `Only ${size.units} ${size.unit}: the t test then rests entirely on normality.`,
    });
  }
  const statistic = standardError === 0 ? infiniteRatio(difference) : difference / standardError;
  return {
    ...core,
    degreesOfFreedom,
    statistic,
    pValue: tPValue(statistic, degreesOfFreedom, alternative),
    alternative,
    ci: tInterval(difference, standardError, degreesOfFreedom, confidence, alternative),
    warnings,
  };
}

/** Tail probability of a t statistic, never as 1 minus a probability. */
export function tPValue(t: number, df: number, alternative: Alternative): number {
  if (alternative === 'less') return studentT.cdf(t, df);
  if (alternative === 'greater') return studentT.survival(t, df);
  return 2 * studentT.survival(Math.abs(t), df);
}

function tInterval(
  difference: number,
  standardError: number,
  df: number,
  confidence: number,
  alternative: Alternative,
): ConfidenceInterval {
  const tail = alternative === 'two-sided' ? (1 - confidence) / 2 : 1 - confidence;
  const margin = standardError === 0 ? 0 : studentT.upperQuantile(tail, df) * standardError;
  return {
    low: alternative === 'less' ? Number.NEGATIVE_INFINITY : difference - margin,
    high: alternative === 'greater' ? Number.POSITIVE_INFINITY : difference + margin,
    confidence,
  };
}

function infiniteRatio(difference: number): number {
  return difference === 0 ? 0 : Math.sign(difference) * Number.POSITIVE_INFINITY;
}

function clusterGrouping(labels: LabelArray | undefined, n: number, argument: string): Grouping | undefined {
  if (labels === undefined) return undefined;
  const groups = grouping(labels, n, argument);
  if (groups.count < 2) throw new StatsError('expected at least 2 clusters, got 1', { argument });
  return groups;
}

/** Standard error of a mean over items, or over clusters; below `rounding` the data count as constant. */
export function errorOfMean(
  values: Float64Array,
  mean: number,
  clusters: Grouping | undefined,
  rounding: number,
): { standardError: number; units: number } {
  finiteNumber(mean, 'mean');
  const n = values.length;
  if (largestDeviation(values, mean) <= rounding) return { standardError: 0, units: clusters?.count ?? n };
  if (clusters === undefined) {
    return { standardError: Math.sqrt(sumOfSquares(values, mean) / (n - 1) / n), units: n };
  }
  const totals = new Float64Array(clusters.count);
  for (let i = 0; i < n; i++) totals[clusters.codes[i]!]! += values[i]! - mean;
  const units = clusters.count;
  return { standardError: Math.sqrt((sumOfSquares(totals, 0) * units) / (units - 1)) / n, units };
}

function pooledError(a: Float64Array, b: Float64Array): { standardError: number; degreesOfFreedom: number } {
  const degreesOfFreedom = a.length + b.length - 2;
  const variance = (sumOfSquares(a, meanOf(a)) + sumOfSquares(b, meanOf(b))) / degreesOfFreedom;
  return { standardError: Math.sqrt(variance * (1 / a.length + 1 / b.length)), degreesOfFreedom };
}

interface Side {
  readonly standardError: number;
  readonly units: number;
}

function satterthwaite(a: Side, b: Side): number {
  const first = a.standardError ** 2;
  const second = b.standardError ** 2;
  return (first + second) ** 2 / (first ** 2 / (a.units - 1) + second ** 2 / (b.units - 1));
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function sumOfSquares(values: Float64Array, centre: number): number {
  return values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
}

function deviation(values: Float64Array): number {
  return Math.sqrt(sumOfSquares(values, meanOf(values)) / (values.length - 1));
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function largestDeviation(values: Float64Array, centre: number): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value - centre)), 0);
}
