/**
 * Standard error of a mean score when items come in clusters (questions about one context, turns of one dialogue).
 *
 * Σ over clusters of (sum of residuals)², the cluster-robust variance of Liang & Zeger (1986) that Miller (2024) recommends
 * for evaluations, with the factor G/(G−1) and t quantiles with G−1 degrees of freedom.
 */
import { studentT } from '../distributions/index.js';
import type { Warning } from '../errors.js';
import { StatsError } from '../errors.js';
import type { ConfidenceInterval } from '../hypothesis/index.js';
import { finiteArray, grouping, type LabelArray, type NumericArray, openUnit } from '../input/index.js';

export interface ClusteredStandardError {
  readonly mean: number;
  readonly standardError: number;
  /** What one gets by ignoring the clusters. */
  readonly naiveStandardError: number;
  /** (clustered/naive)²: how many times more items the clustered data would need. NaN for constant data. */
  readonly designEffect: number;
  readonly degreesOfFreedom: number;
  readonly ci: ConfidenceInterval;
  readonly method: string;
  readonly n: readonly number[];
  readonly clusters: readonly number[];
  readonly warnings: readonly Warning[];
}

export interface ClusteredOptions {
  readonly confidence?: number;
  /** The factor G/(G−1); default true. Without it the formula is Miller's. */
  readonly correction?: boolean;
}

/** @throws {StatsError} for fewer than 2 values or clusters, a NaN (with its index), or missing labels */
export function clusteredStandardError(
  values: NumericArray,
  clusters: LabelArray,
  options: ClusteredOptions = {},
): ClusteredStandardError {
  const scores = finiteArray(values, 'values', 2);
  const confidence = openUnit(options.confidence ?? 0.95, 'options.confidence');
  const groups = grouping(clusters, scores.length, 'clusters');
  if (groups.count < 2) throw new StatsError('expected at least 2 clusters, got 1', { argument: 'clusters' });
  const n = scores.length;
  const mean = scores.reduce((sum, value) => sum + value, 0) / n;
  const totals = new Float64Array(groups.count);
  let squares = 0;
  scores.forEach((value, i) => {
    totals[groups.codes[i]!]! += value - mean;
    squares += (value - mean) ** 2;
  });
  const factor = (options.correction ?? true) ? groups.count / (groups.count - 1) : 1;
  const standardError = Math.sqrt(factor * totals.reduce((sum, total) => sum + total * total, 0)) / n;
  const naiveStandardError = Math.sqrt(squares / (n - 1) / n);
  const df = groups.count - 1;
  const margin = standardError * studentT.upperQuantile((1 - confidence) / 2, df);
  const warnings: Warning[] = [];
  if (groups.count < 20) {
    warnings.push({
      code: 'few-clusters',
      message: `Only ${groups.count} clusters: the clustered standard error is itself uncertain.`,
    });
  }
  if (squares === 0) warnings.push({ code: 'constant-data', message: 'All values are equal.' });
  return {
    mean,
    standardError,
    naiveStandardError,
    designEffect: (standardError / naiveStandardError) ** 2,
    degreesOfFreedom: df,
    ci: { low: mean - margin, high: mean + margin, confidence },
    method: `cluster-robust standard error${factor === 1 ? '' : ', G/(G−1)'}`,
    n: [n],
    clusters: [groups.count],
    warnings,
  };
}
