/** What every hypothesis test returns, and the few conventions all of them share. */
import type { Warning } from '../errors.js';
import { oneOf } from '../input/index.js';

/** 'greater' means that the first sample tends to be larger than the second. */
export type Alternative = 'two-sided' | 'less' | 'greater';

export interface ConfidenceInterval {
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
}

export interface TestResult {
  /** The test and variant that was actually run, in words. */
  readonly method: string;
  readonly statistic: number;
  readonly pValue: number;
  readonly alternative: Alternative;
  /** Items of each sample; one number for pairs. */
  readonly n: readonly number[];
  /** Clusters of each sample, when clusters were given. */
  readonly clusters?: readonly number[];
  readonly warnings: readonly Warning[];
}

export function requireAlternative(alternative: Alternative | undefined): Alternative {
  return oneOf(alternative ?? 'two-sided', ['two-sided', 'less', 'greater'], 'options.alternative');
}

/** p-value from the two tail probabilities of the statistic, each including the observed value. */
export function pFromTails(lower: number, upper: number, alternative: Alternative): number {
  if (alternative === 'less') return lower;
  if (alternative === 'greater') return upper;
  return Math.min(1, 2 * Math.min(lower, upper));
}
