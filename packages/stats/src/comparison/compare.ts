/**
 * Methods against a baseline, the way a reviewer wants it: paired by item, clustered, corrected for the number of tests,
 * with effect sizes, intervals, power, and a verdict that knows "not enough data" from "no difference shown".
 *
 * All methods and metrics on the same items share one set of resamples: the sums of every column over a resample come from
 * one pass, and the bootstrap distribution of any difference is the difference of two of them.
 */
import { StatsError, type Warning } from '../errors.js';
import { integerAtLeast, oneOf, openUnit, positiveNumber } from '../input/index.js';
import { adjustPValues, CORRECTIONS, type Correction } from '../multiplicity/index.js';
import type { Threads } from '../resampling/index.js';
import { requireResamples } from '../resampling/index.js';
import { type AlignedPair, alignPair } from './align.js';
import { type ComparisonTest, comparePair, type PairComparison } from './pair.js';
import { type ScoreMatrix, type Scores, type ScoreTable, scoreMatrix } from './score-table.js';
import { resamplePairs, type SharedResamples } from './shared-resamples.js';
import { type PowerSummary, summarisePower, type Verdict, verdictOf } from './verdict.js';

export interface ComparisonOptions {
  /** Default 'holm'. */
  readonly correction?: Correction;
  /** What is corrected together: every test of the report ('all', default) or the methods within each metric. */
  readonly family?: 'all' | 'metric';
  /** Default 0.05. */
  readonly alpha?: number;
  readonly confidence?: number;
  /**
   * Default 'auto': McNemar for right/wrong scores of single items, otherwise the sign-flip permutation test (by cluster);
   * with several seeds always the t test on items and seeds.
   */
  readonly test?: 'auto' | ComparisonTest;
  readonly resamples?: number;
  readonly seed?: number;
  readonly threads?: Threads;
  /** Power that counts as enough; default 0.8. */
  readonly power?: number;
}

/** One metric of one method. */
export interface ScoreSummary {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
  readonly clusters?: number;
  readonly seeds: number;
  /** Standard deviation of the seed means; absent with one seed. */
  readonly seedStandardDeviation?: number;
}

export interface MethodComparison extends PairComparison, PowerSummary {
  readonly method: string;
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly adjustedPValue: number;
  readonly significant: boolean;
  readonly verdict: Verdict;
  /** The verdict as a sentence. */
  readonly sentence: string;
}

export interface Comparison {
  readonly baseline: string;
  readonly metrics: readonly string[];
  readonly methods: readonly string[];
  /** metric → summary of the baseline on all its items */
  readonly baselineScores: Readonly<Record<string, ScoreSummary>>;
  /** Every method on every metric it has, metric by metric. */
  readonly comparisons: readonly MethodComparison[];
  readonly correction: Correction;
  readonly family: 'all' | 'metric';
  readonly alpha: number;
  readonly confidence: number;
  readonly resamples: number;
  readonly seed: number;
  readonly warnings: readonly Warning[];
}

/**
 * Compares methods with a baseline on one metric.
 * @throws {StatsError} for a NaN (with method and index), duplicate items, or fewer than 2 items in common
 */
export function compareToBaseline(
  baseline: Scores,
  methods: Readonly<Record<string, Scores>>,
  options: ComparisonOptions & {
    readonly baselineName?: string;
    readonly metric?: string;
    readonly higherIsBetter?: boolean;
    readonly smallestEffect?: number;
  } = {},
): Comparison {
  const { baselineName = 'baseline', metric = 'score', higherIsBetter, smallestEffect, ...rest } = options;
  if (baselineName in methods) {
    throw new StatsError(`expected a name that is not the baseline's, got '${baselineName}'`, {
      argument: 'methods',
    });
  }
  const table: Record<string, Record<string, Scores>> = { [baselineName]: { [metric]: baseline } };
  for (const [name, scores] of Object.entries(methods)) table[name] = { [metric]: scores };
  return compareScores(
    { baseline: baselineName, methods: table, metrics: { [metric]: { higherIsBetter, smallestEffect } } },
    rest,
  );
}

/** Compares every method of a table with its baseline on every metric both have. */
export function compareScores(table: ScoreTable, options: ComparisonOptions = {}): Comparison {
  const settings = readOptions(options);
  const own = table.methods[table.baseline];
  if (own === undefined) {
    throw new StatsError(
      `expected the name of a method (${Object.keys(table.methods).join(', ')}), got '${table.baseline}'`,
      {
        argument: 'baseline',
      },
    );
  }
  const metrics = Object.keys(own);
  const methods = Object.keys(table.methods).filter((name) => name !== table.baseline);
  if (methods.length === 0)
    throw new StatsError('expected at least 1 method besides the baseline, got none', {
      argument: 'methods',
    });

  const baselines = new Map(
    metrics.map((metric) => [metric, scoreMatrix(own[metric]!, place(table.baseline, metric))]),
  );
  const pairs: { method: string; metric: string; pair: AlignedPair }[] = [];
  const warnings: Warning[] = [];
  for (const metric of metrics) {
    for (const method of methods) {
      const scores = table.methods[method]![metric];
      if (scores === undefined) {
        warnings.push({ code: 'unpaired-items', message: `${method} has no scores for ${metric}.` });
        continue;
      }
      const name = place(method, metric);
      pairs.push({
        method,
        metric,
        pair: alignPair(baselines.get(metric)!, scoreMatrix(scores, name), name),
      });
    }
  }
  if (pairs.length === 0)
    throw new StatsError('expected a metric that a method shares with the baseline', { argument: 'methods' });

  const solo = metrics.map((metric) => ownPair(baselines.get(metric)!, place(table.baseline, metric)));
  const shared = resamplePairs([...pairs.map(({ pair }) => pair), ...solo], settings);
  const compared = pairs.map(({ pair }, i) => comparePair(pair, shared[i]!, settings));
  const adjusted = adjustFamilies(compared, pairs, settings);
  return {
    baseline: table.baseline,
    metrics,
    methods,
    baselineScores: Object.fromEntries(
      metrics.map((metric, k) => [metric, summary(solo[k]!, shared[pairs.length + k]!)]),
    ),
    comparisons: compared.map((result, i) => {
      const { method, metric } = pairs[i]!;
      return finish(result, method, metric, table, adjusted[i]!, settings);
    }),
    correction: settings.correction,
    family: settings.family,
    alpha: settings.alpha,
    confidence: settings.confidence,
    resamples: settings.resamples,
    seed: settings.seed,
    warnings,
  };
}

export interface ComparisonSettings {
  readonly correction: Correction;
  readonly family: 'all' | 'metric';
  readonly alpha: number;
  readonly confidence: number;
  readonly test: 'auto' | ComparisonTest;
  readonly resamples: number;
  readonly seed: number;
  readonly threads: Threads;
  readonly power: number;
}

function readOptions(options: ComparisonOptions): ComparisonSettings {
  return {
    correction: oneOf(options.correction ?? 'holm', CORRECTIONS, 'options.correction'),
    family: oneOf(options.family ?? 'all', ['all', 'metric'], 'options.family'),
    alpha: openUnit(options.alpha ?? 0.05, 'options.alpha'),
    confidence: openUnit(options.confidence ?? 0.95, 'options.confidence'),
    test: oneOf(
      options.test ?? 'auto',
      ['auto', 'permutation', 'bootstrap', 't', 'wilcoxon', 'mcnemar'],
      'options.test',
    ),
    resamples: requireResamples(options.resamples ?? 10_000),
    seed: integerAtLeast(options.seed ?? 0, Number.MIN_SAFE_INTEGER, 'options.seed'),
    threads: options.threads ?? 'auto',
    power: openUnit(options.power ?? 0.8, 'options.power'),
  };
}

function place(method: string, metric: string): string {
  return `methods.${method}.${metric}`;
}

/** The baseline paired with itself: its own interval comes from the same machinery. */
function ownPair(matrix: ScoreMatrix, name: string): AlignedPair {
  return alignPair(matrix, matrix, name);
}

function summary(pair: AlignedPair, resamples: SharedResamples): ScoreSummary {
  const { low, high } = resamples.baselineLimits;
  return {
    mean: resamples.baselineMean,
    low,
    high,
    n: pair.baseline.length,
    ...(pair.clustered ? { clusters: pair.units } : {}),
    seeds: pair.baselineRows.length,
    ...seedSpread(pair.baselineRows),
  };
}

export function seedSpread(rows: readonly Float64Array[]): { seedStandardDeviation?: number } {
  if (rows.length < 2) return {};
  const means = rows.map((row) => row.reduce((sum, value) => sum + value, 0) / row.length);
  const grand = means.reduce((sum, mean) => sum + mean, 0) / means.length;
  const squares = means.reduce((sum, mean) => sum + (mean - grand) ** 2, 0);
  return { seedStandardDeviation: Math.sqrt(squares / (means.length - 1)) };
}

function adjustFamilies(
  compared: readonly PairComparison[],
  pairs: readonly { metric: string }[],
  { correction, family, alpha }: ComparisonSettings,
): { adjusted: number; reject: boolean; size: number }[] {
  const out = new Array<{ adjusted: number; reject: boolean; size: number }>(compared.length);
  const groups = new Map<string, number[]>();
  pairs.forEach(({ metric }, i) => {
    const key = family === 'all' ? '' : metric;
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [i]);
    else members.push(i);
  });
  for (const members of groups.values()) {
    const result = adjustPValues(
      members.map((i) => compared[i]!.pValue),
      correction,
      alpha,
    );
    members.forEach((i, k) => {
      out[i] = { adjusted: result.adjusted[k]!, reject: result.reject[k]!, size: members.length };
    });
  }
  return out;
}

function finish(
  result: PairComparison,
  method: string,
  metric: string,
  table: ScoreTable,
  { adjusted, reject, size }: { adjusted: number; reject: boolean; size: number },
  settings: ComparisonSettings,
): MethodComparison {
  const info = table.metrics?.[metric];
  const higherIsBetter = info?.higherIsBetter ?? true;
  if (info?.smallestEffect !== undefined)
    positiveNumber(info.smallestEffect, `metrics.${metric}.smallestEffect`);
  const power = summarisePower(
    result.difference,
    result.differenceStandardDeviation,
    result.variance,
    info?.smallestEffect,
    settings.alpha / size,
    settings.power,
  );
  const verdict = verdictOf(reject, result.difference, higherIsBetter, power);
  return {
    ...result,
    ...power,
    method,
    metric,
    higherIsBetter,
    adjustedPValue: adjusted,
    significant: reject,
    verdict,
    sentence: sentenceFor(verdict, method, table.baseline, metric, power),
  };
}

function sentenceFor(
  verdict: Verdict,
  method: string,
  baseline: string,
  metric: string,
  power: PowerSummary,
): string {
  const effect = power.smallestEffect.toPrecision(2);
  if (verdict === 'better' || verdict === 'worse')
    return `${method} is ${verdict} than ${baseline} on ${metric}.`;
  if (verdict === 'no difference shown') {
    const chance = Number.isNaN(power.powerForSmallestEffect) ? 1 : power.powerForSmallestEffect;
    return `No difference between ${method} and ${baseline} on ${metric} shown; one of ${effect} would have been found with probability ${chance.toFixed(2)}.`;
  }
  return `Not enough data to tell ${method} from ${baseline} on ${metric}: a difference of ${effect} needs ${describeNeeds(power)}.`;
}

/** "about 1240 items (310 clusters)", "about 8 seeds", or both. */
export function describeNeeds({ needs }: Pick<PowerSummary, 'needs'>): string {
  const parts: string[] = [];
  if (needs?.items !== undefined) {
    parts.push(
      `about ${needs.items} items${needs.clusters === undefined ? '' : ` (${needs.clusters} clusters)`}`,
    );
  }
  if (needs?.seeds !== undefined) parts.push(`about ${needs.seeds} seeds`);
  return parts.join(' and ');
}
