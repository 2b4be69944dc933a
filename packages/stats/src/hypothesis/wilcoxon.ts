/**
 * Wilcoxon signed-rank test for pairs.
 *
 * Exact p-values come from the permutation distribution of the ranks actually observed (dynamic programming over doubled
 * midranks), so ties need no approximation. Beyond 50 pairs: normal with tie-corrected variance (Hollander & Wolfe 1999,
 * 3.1). The statistic is W⁺, the rank sum of positive differences, as in R.
 */
import { normal } from '../distributions/index.js';
import { StatsError, type Warning } from '../errors.js';
import { differences, finiteArray, type NumericArray, oneOf, pairedArrays } from '../input/index.js';
import { midranks, tieCorrection } from './ranks.js';
import { type Alternative, pFromTails, requireAlternative, type TestResult } from './result.js';

export interface WilcoxonOptions {
  readonly alternative?: Alternative;
  /** Default 'auto': exact up to 50 non-zero pairs. */
  readonly method?: 'auto' | 'exact' | 'normal';
  /** Zero differences: drop them ('wilcox', default) or rank them first and then drop ('pratt'). */
  readonly zeros?: 'wilcox' | 'pratt';
  /** Continuity correction of the normal approximation; default true. */
  readonly correction?: boolean;
}

export interface WilcoxonResult extends TestResult {
  /** (W⁺ − W⁻)/(W⁺ + W⁻): matched-pairs rank-biserial correlation. */
  readonly rankBiserial: number;
}

const EXACT_LIMIT = 50;
/** Doubles count arrangements exactly up to 2^53. */
const EXACT_MAXIMUM = 52;

/**
 * Tests that a − b is symmetric about 0; with `b` undefined `a` holds the differences.
 * @throws {StatsError} for empty or mismatched data, or an exact test of more than 52 pairs
 */
export function wilcoxonSignedRank(
  a: NumericArray,
  b?: NumericArray,
  options: WilcoxonOptions = {},
): WilcoxonResult {
  const alternative = requireAlternative(options.alternative);
  const method = oneOf(options.method ?? 'auto', ['auto', 'exact', 'normal'], 'options.method');
  const zeros = oneOf(options.zeros ?? 'wilcox', ['wilcox', 'pratt'], 'options.zeros');
  const { gaps, tolerance } = signedDifferences(a, b);
  const n = gaps.length;
  const warnings: Warning[] = [];
  const isZero = (gap: number): boolean => Math.abs(gap) <= tolerance;
  const kept = zeros === 'wilcox' ? gaps.filter((gap) => !isZero(gap)) : gaps;
  const zeroCount = gaps.filter(isZero).length;
  if (zeroCount > 0) {
    warnings.push({
      code: 'ties',
      message: `${zeroCount} of ${n} differences are zero and carry no sign (zeros: '${zeros}').`,
    });
  }
  const { ranks, ties } = midranks(kept.map(Math.abs));
  const signed = [...kept.keys()].filter((i) => !isZero(kept[i]!));
  const plus = signed.reduce((sum, i) => sum + (kept[i]! > 0 ? ranks[i]! : 0), 0);
  const total = signed.reduce((sum, i) => sum + ranks[i]!, 0);
  const shared = {
    statistic: plus,
    alternative,
    n: [n],
    rankBiserial: total === 0 ? 0 : (2 * plus - total) / total,
    warnings,
  };
  if (signed.length === 0)
    return { ...shared, method: 'Wilcoxon signed rank, no non-zero difference', pValue: 1 };

  if (method === 'exact' || (method === 'auto' && signed.length <= EXACT_LIMIT)) {
    if (signed.length > EXACT_MAXIMUM) {
      throw new StatsError(
        `expected at most ${EXACT_MAXIMUM} non-zero pairs for 'exact', got ${signed.length}`,
        {
          argument: 'options.method',
          hint: "Use 'normal', which is accurate at this size.",
        },
      );
    }
    const doubled = Int32Array.from(signed, (i) => 2 * ranks[i]!);
    const { lower, upper } = signedRankTails(doubled, 2 * plus);
    return {
      ...shared,
      method: 'Wilcoxon signed rank, exact',
      pValue: pFromTails(lower, upper, alternative),
    };
  }
  const squares = signed.reduce((sum, i) => sum + ranks[i]! ** 2, 0);
  const correction = options.correction ?? true;
  const pValue = normalPValue(plus - total / 2, Math.sqrt(squares / 4), alternative, correction ? 0.5 : 0);
  if (ties.length > 0 && tieCorrection(ties) > 0.5 * kept.length ** 3) {
    warnings.push({ code: 'ties', message: 'Most differences are tied; the exact test is preferable.' });
  }
  return {
    ...shared,
    method: `Wilcoxon signed rank, normal approximation${correction ? ' with continuity correction' : ''}`,
    pValue,
  };
}

/** p-value of a deviation from its null mean, moved `correction` towards it. */
export function normalPValue(
  deviation: number,
  sd: number,
  alternative: Alternative,
  correction: number,
): number {
  if (sd === 0) return 1;
  if (alternative === 'less') return normal.cdf((deviation + correction) / sd);
  if (alternative === 'greater') return normal.survival((deviation - correction) / sd);
  return Math.min(1, 2 * normal.survival(Math.max(0, Math.abs(deviation) - correction) / sd));
}

function signedDifferences(
  a: NumericArray,
  b: NumericArray | undefined,
): { gaps: Float64Array; tolerance: number } {
  const largest = (values: Float64Array): number =>
    values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (b === undefined) return { gaps: finiteArray(a, 'a'), tolerance: 0 };
  const [left, right] = pairedArrays(a, b, 1);
  return { gaps: differences(left, right), tolerance: 1e-14 * Math.max(largest(left), largest(right)) };
}

/** P(S ≤ s) and P(S ≥ s) where each value enters S with probability ½. */
function signedRankTails(values: Int32Array, observed: number): { lower: number; upper: number } {
  const maximum = values.reduce((sum, value) => sum + value, 0);
  const ways = new Float64Array(maximum + 1);
  ways[0] = 1;
  let reached = 0;
  for (const value of values) {
    reached += value;
    for (let s = reached; s >= value; s--) ways[s]! += ways[s - value]!;
  }
  let lower = 0;
  let upper = 0;
  for (let s = 0; s <= maximum; s++) {
    if (s <= observed) lower += ways[s]!;
    if (s >= observed) upper += ways[s]!;
  }
  const all = 2 ** values.length;
  return { lower: lower / all, upper: upper / all };
}
