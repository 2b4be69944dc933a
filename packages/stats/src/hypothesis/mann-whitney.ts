/**
 * Mann–Whitney U test (Wilcoxon rank sum) for independent samples.
 *
 * Exact p-values come from the permutation distribution of the observed midranks, ties included; beyond 50 values in all
 * the normal approximation with tie-corrected variance (Hollander & Wolfe 1999, 4.1). U counts pairs with a > b, ties
 * one half, so U/(n_a n_b) is the probability that a random a beats a random b.
 */
import { StatsError } from '../errors.js';
import { finiteArray, type NumericArray, oneOf } from '../input/index.js';
import { midranks, tieCorrection } from './ranks.js';
import { type Alternative, pFromTails, requireAlternative, type TestResult } from './result.js';
import { normalPValue } from './wilcoxon.js';

export interface MannWhitneyOptions {
  readonly alternative?: Alternative;
  /** Default 'auto': exact up to 50 values in all. */
  readonly method?: 'auto' | 'exact' | 'normal';
  /** Continuity correction of the normal approximation; default true. */
  readonly correction?: boolean;
}

export interface MannWhitneyResult extends TestResult {
  /** U/(n_a n_b): P(a > b) + ½ P(a = b). */
  readonly probabilityOfSuperiority: number;
}

const EXACT_LIMIT = 50;

/** @throws {StatsError} for an empty sample, a NaN, or an exact test of more than 50 values */
export function mannWhitneyU(
  a: NumericArray,
  b: NumericArray,
  options: MannWhitneyOptions = {},
): MannWhitneyResult {
  const alternative = requireAlternative(options.alternative);
  const method = oneOf(options.method ?? 'auto', ['auto', 'exact', 'normal'], 'options.method');
  const left = finiteArray(a, 'a');
  const right = finiteArray(b, 'b');
  const [m, n] = [left.length, right.length];
  const pooled = new Float64Array(m + n);
  pooled.set(left);
  pooled.set(right, m);
  const { ranks, ties } = midranks(pooled);
  const rankSum = ranks.subarray(0, m).reduce((sum, rank) => sum + rank, 0);
  const statistic = rankSum - (m * (m + 1)) / 2;
  const shared = {
    statistic,
    alternative,
    n: [m, n],
    probabilityOfSuperiority: statistic / (m * n),
    warnings: [],
  };
  if (method === 'exact' || (method === 'auto' && m + n <= EXACT_LIMIT)) {
    if (m + n > EXACT_LIMIT) {
      throw new StatsError(`expected at most ${EXACT_LIMIT} values in all for 'exact', got ${m + n}`, {
        argument: 'options.method',
        hint: "Use 'normal', which is accurate at this size.",
      });
    }
    const { lower, upper } = rankSumTails(
      Int32Array.from(ranks, (rank) => 2 * rank),
      m,
      2 * rankSum,
    );
    return { ...shared, method: 'Mann–Whitney U, exact', pValue: pFromTails(lower, upper, alternative) };
  }
  const total = m + n;
  const variance = ((m * n) / 12) * (total + 1 - tieCorrection(ties) / (total * (total - 1)));
  const correction = options.correction ?? true;
  return {
    ...shared,
    method: `Mann–Whitney U, normal approximation${correction ? ' with continuity correction' : ''}`,
    pValue: normalPValue(statistic - (m * n) / 2, Math.sqrt(variance), alternative, correction ? 0.5 : 0),
  };
}

/** Tails of the sum of `chosen` of the values, all choices equally likely: counts by (how many, sum). */
function rankSumTails(
  values: Int32Array,
  chosen: number,
  observed: number,
): { lower: number; upper: number } {
  const maximum = values.reduce((sum, value) => sum + value, 0);
  const width = maximum + 1;
  const ways = new Float64Array((chosen + 1) * width);
  ways[0] = 1;
  let reached = 0;
  for (const value of values) {
    reached += value;
    for (let k = chosen; k >= 1; k--) {
      const to = k * width;
      const from = to - width - value;
      for (let s = value; s <= reached; s++) ways[to + s]! += ways[from + s]!;
    }
  }
  let lower = 0;
  let upper = 0;
  let all = 0;
  for (let s = 0; s <= maximum; s++) {
    const count = ways[chosen * width + s]!;
    all += count;
    if (s <= observed) lower += count;
    if (s >= observed) upper += count;
  }
  return { lower: lower / all, upper: upper / all };
}
