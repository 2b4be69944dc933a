/**
 * Intervals for one proportion, for the difference of two, and for an odds ratio.
 *
 * Wilson (1927); Clopper & Pearson (1934); Newcombe (1998) hybrid score intervals, method 10, for independent and for
 * paired proportions; Woolf (1955) and the exact conditional interval of Fisher's table for the odds ratio.
 */
import { beta, monotoneRoot, normal } from '../distributions/index.js';
import type { Warning } from '../errors.js';
import { StatsError } from '../errors.js';
import type { ConfidenceInterval, PairedTable } from '../hypothesis/index.js';
import { integerAtLeast, oneOf, openUnit } from '../input/index.js';
import { logGamma } from '../special/index.js';

export interface ProportionInterval extends ConfidenceInterval {
  readonly estimate: number;
  readonly method: 'wilson' | 'clopper-pearson';
  readonly n: readonly number[];
  readonly warnings: readonly Warning[];
}

/** Wilson score interval: the default for an accuracy; good coverage from a handful of items on. */
export function wilsonInterval(
  successes: number,
  n: number,
  options: { readonly confidence?: number; readonly correction?: boolean } = {},
): ProportionInterval {
  const confidence = checkCounts(successes, n, options.confidence);
  const z = normal.upperQuantile((1 - confidence) / 2);
  const { low, high } = wilsonLimits(successes, n, z, options.correction ?? false);
  return { estimate: successes / n, low, high, confidence, method: 'wilson', n: [n], warnings: [] };
}

/** Clopper–Pearson interval: never below its confidence level, hence wider. */
export function clopperPearsonInterval(
  successes: number,
  n: number,
  options: { readonly confidence?: number } = {},
): ProportionInterval {
  const confidence = checkCounts(successes, n, options.confidence);
  const tail = (1 - confidence) / 2;
  return {
    estimate: successes / n,
    low: successes === 0 ? 0 : beta.quantile(tail, successes, n - successes + 1),
    high: successes === n ? 1 : beta.upperQuantile(tail, successes + 1, n - successes),
    confidence,
    method: 'clopper-pearson',
    n: [n],
    warnings: [],
  };
}

export interface RiskDifference {
  /** p_a − p_b */
  readonly difference: number;
  readonly ci: ConfidenceInterval;
  readonly proportions: readonly [number, number];
  readonly method: string;
  readonly n: readonly number[];
  readonly warnings: readonly Warning[];
}

/** Two independent counts, or the table of paired outcomes. */
export type ProportionData =
  | { readonly successesA: number; readonly nA: number; readonly successesB: number; readonly nB: number }
  | { readonly table: PairedTable };

/** Difference of two proportions with Newcombe's score interval. @throws {StatsError} for impossible counts */
export function riskDifference(
  data: ProportionData,
  options: { readonly confidence?: number } = {},
): RiskDifference {
  const confidence = openUnit(options.confidence ?? 0.95, 'options.confidence');
  const z = normal.upperQuantile((1 - confidence) / 2);
  const paired = 'table' in data;
  const counts = paired ? pairedCounts(data.table) : { ...data, correlation: 0 };
  checkCounts(counts.successesA, counts.nA, confidence, ['data.successesA', 'data.nA']);
  checkCounts(counts.successesB, counts.nB, confidence, ['data.successesB', 'data.nB']);
  const pA = counts.successesA / counts.nA;
  const pB = counts.successesB / counts.nB;
  const a = wilsonLimits(counts.successesA, counts.nA, z, false);
  const b = wilsonLimits(counts.successesB, counts.nB, z, false);
  const reach = (x: number, y: number): number =>
    Math.sqrt(Math.max(0, x * x - 2 * counts.correlation * x * y + y * y));
  return {
    difference: pA - pB,
    ci: {
      low: pA - pB - reach(pA - a.low, b.high - pB),
      high: pA - pB + reach(a.high - pA, pB - b.low),
      confidence,
    },
    proportions: [pA, pB],
    method: `Newcombe hybrid score, ${paired ? 'paired' : 'independent'}`,
    n: paired ? [counts.nA] : [counts.nA, counts.nB],
    warnings: [],
  };
}

export interface OddsRatio {
  readonly oddsRatio: number;
  readonly ci: ConfidenceInterval;
  readonly method: 'woolf' | 'exact';
  readonly n: readonly number[];
  readonly warnings: readonly Warning[];
}

/**
 * Odds ratio of [[a successes, a failures], [b successes, b failures]]. 'woolf': sample odds ratio with the normal interval
 * on the log scale, ½ added to every cell when one is zero; 'exact': conditional estimate and Fisher's exact interval.
 */
export function oddsRatio(
  table: PairedTable,
  options: { readonly confidence?: number; readonly method?: 'woolf' | 'exact' } = {},
): OddsRatio {
  const confidence = openUnit(options.confidence ?? 0.95, 'options.confidence');
  const method = oneOf(options.method ?? 'woolf', ['woolf', 'exact'], 'options.method');
  const cells = table.flat().map((count, i) => integerAtLeast(count, 0, `table[${i >> 1}][${i & 1}]`));
  if (cells.length !== 4) throw new StatsError('expected a 2 × 2 array of counts', { argument: 'table' });
  const [a, b, c, d] = cells as [number, number, number, number];
  const n = [a + b, c + d];
  const tail = (1 - confidence) / 2;
  if (method === 'exact') {
    return { ...conditionalOdds(a, b, c, d, tail, confidence), method, n, warnings: [] };
  }
  const warnings: Warning[] = [];
  const shift = cells.includes(0) ? 0.5 : 0;
  if (shift > 0) {
    warnings.push({
      code: 'approximation',
      message: 'A cell is zero: ½ was added to each (Haldane–Anscombe).',
    });
  }
  const logOdds = Math.log(((a + shift) * (d + shift)) / ((b + shift) * (c + shift)));
  const error = Math.sqrt(cells.reduce((sum, count) => sum + 1 / (count + shift), 0));
  const z = normal.upperQuantile(tail);
  return {
    oddsRatio: Math.exp(logOdds),
    ci: { low: Math.exp(logOdds - z * error), high: Math.exp(logOdds + z * error), confidence },
    method,
    n,
    warnings,
  };
}

function wilsonLimits(x: number, n: number, z: number, correction: boolean): { low: number; high: number } {
  const p = x / n;
  const z2 = z * z;
  if (!correction) {
    const centre = (x + z2 / 2) / (n + z2);
    const margin = (z / (n + z2)) * Math.sqrt(n * p * (1 - p) + z2 / 4);
    return { low: x === 0 ? 0 : centre - margin, high: x === n ? 1 : centre + margin };
  }
  // Newcombe (1998a), method 4.
  const side = (sign: 1 | -1): number => {
    const root = Math.sqrt(z2 + sign * 2 - 1 / n + 4 * p * (n * (1 - p) - sign));
    return (2 * n * p + z2 + sign * (1 + z * root)) / (2 * (n + z2));
  };
  return { low: x === 0 ? 0 : Math.max(0, side(-1)), high: x === n ? 1 : Math.min(1, side(1)) };
}

/** Marginal counts of paired outcomes and their φ coefficient with Newcombe's continuity correction. */
function pairedCounts(table: PairedTable): {
  successesA: number;
  nA: number;
  successesB: number;
  nB: number;
  correlation: number;
} {
  const [[both, aOnly], [bOnly, neither]] = table;
  const n = both + aOnly + bOnly + neither;
  const margins = (both + aOnly) * (bOnly + neither) * (both + bOnly) * (aOnly + neither);
  const product = both * neither - aOnly * bOnly;
  const corrected = product > n / 2 ? product - n / 2 : product >= 0 ? 0 : product;
  return {
    successesA: both + aOnly,
    nA: n,
    successesB: both + bOnly,
    nB: n,
    correlation: margins === 0 ? 0 : corrected / Math.sqrt(margins),
  };
}

/** Conditional maximum likelihood and exact limits from Fisher's noncentral hypergeometric distribution. */
function conditionalOdds(
  a: number,
  b: number,
  c: number,
  d: number,
  tail: number,
  confidence: number,
): { oddsRatio: number; ci: ConfidenceInterval } {
  const low = Math.max(0, a - d);
  const high = Math.min(a + b, a + c);
  const logWeights = Float64Array.from({ length: high - low + 1 }, (_, i) => {
    const x = low + i;
    const cells = [x, a + b - x, a + c - x, d - a + x];
    return -cells.reduce((sum, count) => sum + logGamma(count + 1), 0);
  });
  const law = (logOdds: number): { mean: number; lower: number; upper: number } => {
    const terms = logWeights.map((weight, i) => weight + (low + i) * logOdds);
    const peak = terms.reduce((most, term) => Math.max(most, term), Number.NEGATIVE_INFINITY);
    let total = 0;
    let mean = 0;
    let lower = 0;
    let upper = 0;
    terms.forEach((term, i) => {
      const mass = Math.exp(term - peak);
      total += mass;
      mean += mass * (low + i);
      if (low + i <= a) lower += mass;
      if (low + i >= a) upper += mass;
    });
    return { mean: mean / total, lower: lower / total, upper: upper / total };
  };
  const solve = (f: (logOdds: number) => number): number =>
    Math.exp(monotoneRoot(f, 0, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY));
  const infinite = Number.POSITIVE_INFINITY;
  return {
    oddsRatio:
      low === high ? Number.NaN : a === low ? 0 : a === high ? infinite : solve((t) => law(t).mean - a),
    ci: {
      low: a === low ? 0 : solve((t) => Math.log(law(t).upper) - Math.log(tail)),
      high: a === high ? infinite : solve((t) => Math.log(law(t).lower) - Math.log(tail)),
      confidence,
    },
  };
}

function checkCounts(
  successes: number,
  n: number,
  confidence: number | undefined,
  names: readonly [string, string] = ['successes', 'n'],
): number {
  integerAtLeast(n, 1, names[1]);
  integerAtLeast(successes, 0, names[0]);
  if (successes > n) throw new StatsError(`expected at most ${n}, got ${successes}`, { argument: names[0] });
  return openUnit(confidence ?? 0.95, 'options.confidence');
}
