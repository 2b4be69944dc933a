/** One method against the baseline on one metric: difference, interval, test, effect size. */
import { studentT } from '../distributions/index.js';
import { type EffectMagnitude, hedgesFactor, interpretEffect, noncentralLimits } from '../effect/index.js';
import { StatsError, type Warning } from '../errors.js';
import {
  type ConfidenceInterval,
  errorOfMean,
  mcnemarTest,
  pairedBootstrapTest,
  pairedTTest,
  permutationTest,
  wilcoxonSignedRank,
} from '../hypothesis/index.js';
import { type SeedComponent, satterthwaite, seedComponent } from '../multiseed/index.js';
import type { AlignedPair } from './align.js';
import type { ComparisonSettings } from './compare.js';
import type { SharedResamples } from './shared-resamples.js';
import type { DifferenceVariance } from './verdict.js';

export type ComparisonTest = 'permutation' | 'bootstrap' | 't' | 'wilcoxon' | 'mcnemar';

export interface PairComparison {
  readonly n: number;
  readonly clusters?: number;
  /** Seeds of the baseline and of the method. */
  readonly seeds: readonly [number, number];
  readonly baselineMean: number;
  readonly mean: number;
  /** Interval of the method's own mean. */
  readonly meanCi: ConfidenceInterval;
  /** Method minus baseline. */
  readonly difference: number;
  readonly ci: ConfidenceInterval;
  readonly standardError: number;
  readonly pValue: number;
  /** The test that was run, in words. */
  readonly test: string;
  readonly effectSize: {
    /** d_z: difference over the standard deviation of the paired differences. */
    readonly d: number;
    readonly hedgesG: number;
    readonly ci: ConfidenceInterval;
    readonly interpretation: EffectMagnitude;
  };
  readonly differenceStandardDeviation: number;
  readonly variance: DifferenceVariance;
  readonly warnings: readonly Warning[];
}

export function comparePair(
  pair: AlignedPair,
  resamples: SharedResamples,
  settings: ComparisonSettings,
): PairComparison {
  const gaps = pair.method.map((value, i) => value - pair.baseline[i]!);
  const n = gaps.length;
  const rounding = 1e-14 * largest(pair.method, pair.baseline);
  const raw = gaps.reduce((sum, value) => sum + value, 0) / n;
  const difference = Math.abs(raw) <= rounding ? 0 : raw;
  const squares = gaps.reduce((sum, value) => sum + (value - raw) ** 2, 0);
  const sd = Math.sqrt(squares / (n - 1)) <= rounding ? 0 : Math.sqrt(squares / (n - 1));
  const clusters = pair.clustered ? { codes: pair.unitOf, count: pair.units, names: [] } : undefined;
  const itemError = errorOfMean(gaps, raw, clusters, rounding).standardError;

  const seeds = [
    seedComponent(pair.methodRows, pair.unitOf, pair.units),
    seedComponent(pair.baselineRows, pair.unitOf, pair.units),
  ];
  const multiSeed = seeds.some((part) => part.means.length > 1);
  const itemVariance = multiSeed ? resamples.differenceVariance : itemError ** 2;
  const standardError = Math.sqrt(seeds.reduce((sum, part) => sum + part.variance, itemVariance));
  const variance: DifferenceVariance = {
    items: itemVariance,
    units: pair.units,
    itemsPerUnit: n / pair.units,
    seeds: seeds.filter((part) => part.degreesOfFreedom > 0),
  };
  const df = satterthwaite([{ variance: itemVariance, degreesOfFreedom: pair.units - 1 }, ...seeds]);
  const outcome = multiSeed
    ? seedsAndItems(difference, standardError, df, settings)
    : { ...itemTest(pair, settings), limits: resamples.differenceLimits };
  const confidence = settings.confidence;
  return {
    n,
    ...(pair.clustered ? { clusters: pair.units } : {}),
    seeds: [pair.baselineRows.length, pair.methodRows.length],
    baselineMean: resamples.baselineMean,
    mean: resamples.methodMean,
    meanCi: { ...resamples.methodLimits, confidence },
    difference,
    ci: { low: outcome.limits.low, high: outcome.limits.high, confidence },
    standardError,
    pValue: outcome.pValue,
    test: outcome.test,
    effectSize: effectSize(difference, sd, standardError, df, confidence),
    differenceStandardDeviation: sd,
    variance,
    warnings: [...pair.warnings, ...outcome.warnings, ...warningsFor(pair, seeds, sd)],
  };
}

interface Outcome {
  readonly pValue: number;
  readonly test: string;
  readonly warnings: readonly Warning[];
}

/** With several seeds the claim is about the method, not about one trained copy: seeds enter the error. */
function seedsAndItems(
  difference: number,
  standardError: number,
  df: number,
  { confidence, test }: ComparisonSettings,
): Outcome & { limits: { low: number; high: number } } {
  if (test !== 'auto' && test !== 't') {
    throw new StatsError(`expected 'auto' or 't' for scores of several seeds, got '${test}'`, {
      argument: 'options.test',
      hint: 'Only the t test on items and seeds uses both sources of variation.',
    });
  }
  const margin = standardError === 0 ? 0 : studentT.upperQuantile((1 - confidence) / 2, df) * standardError;
  const t =
    standardError === 0 ? (difference === 0 ? 0 : Number.POSITIVE_INFINITY) : difference / standardError;
  return {
    pValue: 2 * studentT.survival(Math.abs(t), Number.isFinite(df) ? df : 1e9),
    test: `t test on items and seeds, ${df.toFixed(1)} degrees of freedom`,
    limits: { low: difference - margin, high: difference + margin },
    warnings: [],
  };
}

function itemTest(pair: AlignedPair, settings: ComparisonSettings): Outcome {
  const { method, baseline, clustered } = pair;
  const clusters = clustered ? pair.unitOf : undefined;
  const { resamples, seed, threads } = settings;
  const chosen =
    settings.test === 'auto' ? (isBinary(pair) && !clustered ? 'mcnemar' : 'permutation') : settings.test;
  switch (chosen) {
    case 'mcnemar': {
      if (clustered || !isBinary(pair)) {
        throw new StatsError("expected scores of 0 and 1 without clusters for 'mcnemar'", {
          argument: 'options.test',
        });
      }
      return named(mcnemarTest({ table: correctness(pair) }));
    }
    case 'permutation':
      return named(permutationTest(method, baseline, { clusters, resamples, seed, threads }));
    case 'bootstrap':
      return named(pairedBootstrapTest(method, baseline, { clusters, resamples, seed, threads }));
    case 't':
      return named(pairedTTest(method, baseline, { clusters }));
    case 'wilcoxon':
      if (clustered) {
        throw new StatsError("expected a test that knows clusters, got 'wilcoxon'", {
          argument: 'options.test',
        });
      }
      return named(wilcoxonSignedRank(method, baseline));
  }
}

function named(result: { method: string; pValue: number; warnings: readonly Warning[] }): Outcome {
  return { pValue: result.pValue, test: result.method, warnings: result.warnings };
}

function isBinary(pair: AlignedPair): boolean {
  const binary = (value: number): boolean => value === 0 || value === 1;
  return pair.method.every(binary) && pair.baseline.every(binary);
}

function correctness({ method, baseline }: AlignedPair): [[number, number], [number, number]] {
  const counts: [[number, number], [number, number]] = [
    [0, 0],
    [0, 0],
  ];
  method.forEach((value, i) => {
    counts[value === 1 ? 0 : 1]![baseline[i] === 1 ? 0 : 1]!++;
  });
  return counts;
}

/** d_z with limits from the noncentral t pivot of the (clustered, multi-seed) t statistic. */
function effectSize(
  difference: number,
  sd: number,
  standardError: number,
  df: number,
  confidence: number,
): PairComparison['effectSize'] {
  if (sd === 0 || standardError === 0) {
    const d = difference === 0 ? 0 : Math.sign(difference) * Number.POSITIVE_INFINITY;
    return { d, hedgesG: d, ci: { low: d, high: d, confidence }, interpretation: interpretEffect(d) };
  }
  const d = difference / sd;
  const perUnit = standardError / sd;
  const limits = noncentralLimits(difference / standardError, Math.min(df, 1e7), (1 - confidence) / 2);
  return {
    d,
    hedgesG: d * hedgesFactor(Math.min(df, 1e7)),
    ci: { low: limits.low * perUnit, high: limits.high * perUnit, confidence },
    interpretation: interpretEffect(d),
  };
}

function warningsFor(pair: AlignedPair, seeds: readonly SeedComponent[], sd: number): Warning[] {
  const warnings: Warning[] = [];
  if (sd === 0) {
    warnings.push({
      code: 'constant-data',
      message: 'Method and baseline differ by the same amount on every item.',
    });
  }
  if (pair.units < 30) {
    warnings.push({
      code: pair.clustered ? 'few-clusters' : 'small-sample',
      message: `Only ${pair.units} ${pair.clustered ? 'clusters' : 'items'}: intervals are approximate.`,
    });
  }
  const counts = seeds.map((part) => part.means.length);
  if (Math.max(...counts) > 1 && Math.min(...counts) === 1) {
    warnings.push({
      code: 'small-sample',
      message: 'One side has a single seed and is taken as deterministic; its training noise is not counted.',
    });
  }
  return warnings;
}

function largest(...arrays: readonly Float64Array[]): number {
  let most = 0;
  for (const values of arrays) for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}
