/**
 * Bootstrap confidence intervals.
 *
 * `bootstrapCI(scores)` for one sample, `bootstrapCI({a, b, paired: true})` for the difference of two methods on the same
 * items, `{a, b, paired: false}` for independent samples. With `clusters` whole clusters are drawn (questions that share
 * a context), with `strata` each stratum keeps its size.
 */
import type { StatsError, Warning } from '../errors.js';
import { integerAtLeast, type NumericArray, oneOf, openUnit } from '../input/index.js';
import {
  type Design,
  type DesignLabels,
  makeDesign,
  requireResamples,
  smallestStratum,
  type TwoSamples,
} from './design.js';
import { type Distribution, innerStandardErrors, resampleDistribution } from './engine.js';
import {
  acceleration,
  basicLimits,
  bcaLimits,
  type Limits,
  percentileLimits,
  studentizedLimits,
} from './interval.js';
import type { Threads } from './parallel.js';
import {
  estimate,
  jackknife,
  makeStatistic,
  type Statistic,
  type StatisticFunction,
  type StatisticName,
  statisticFunction,
} from './statistic.js';

export type BootstrapMethod = 'bca' | 'percentile' | 'basic' | 'studentized';

export interface BootstrapOptions extends DesignLabels {
  /** Default 'mean'. A function must not depend on the order of the values and runs on the calling thread. */
  readonly statistic?: StatisticName | StatisticFunction;
  /** Default 0.95. */
  readonly confidence?: number;
  /** Default 10 000. */
  readonly resamples?: number;
  /** Default 'bca'. 'studentized' is the better choice for few units (fewer than about 30 items or clusters). */
  readonly method?: BootstrapMethod;
  /** Any safe integer; default 0, so that results repeat. */
  readonly seed?: number;
  /** Default 'auto'. The result is the same for every value. */
  readonly threads?: Threads;
  /** Bootstrap inside each resample for the standard error of 'studentized' where there is no formula; default 50. */
  readonly innerResamples?: number;
}

export interface BootstrapInterval {
  /** The statistic of the data (the difference a − b for two samples). */
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  /** Standard deviation of the bootstrap distribution. */
  readonly standardError: number;
  /** Mean of the bootstrap distribution minus the estimate. */
  readonly bias: number;
  /** BCa acceleration; NaN for the other methods. */
  readonly acceleration: number;
  readonly confidence: number;
  /** The method that made the limits: 'percentile' when BCa was asked for but is not defined (see warnings). */
  readonly method: BootstrapMethod;
  readonly resamples: number;
  readonly seed: number;
  readonly n: readonly number[];
  readonly clusters?: readonly number[];
  readonly warnings: readonly Warning[];
}

/**
 * Confidence interval of a statistic by resampling.
 * @throws {StatsError} for fewer than 2 values, a NaN (with its index), mismatched lengths, or unknown options
 */
export function bootstrapCI(
  data: NumericArray | TwoSamples,
  options: BootstrapOptions = {},
): BootstrapInterval {
  const confidence = openUnit(options.confidence ?? 0.95, 'options.confidence');
  const resamples = requireResamples(options.resamples ?? 10_000);
  const method = oneOf(
    options.method ?? 'bca',
    ['bca', 'percentile', 'basic', 'studentized'],
    'options.method',
  );
  const seed = options.seed ?? 0;
  integerAtLeast(seed, Number.MIN_SAFE_INTEGER, 'options.seed');
  const design = makeDesign(data, options);
  const name = options.statistic ?? 'mean';
  const statistic = makeStatistic(design, name, method === 'studentized');
  const value = estimate(design, statistic);
  const warnings: Warning[] = [];
  const shared = {
    estimate: value,
    confidence,
    resamples,
    seed,
    n: design.n,
    ...(design.clusters === undefined ? {} : { clusters: design.clusters }),
  };
  if (isConstant(design)) {
    warnings.push({
      code: 'constant-data',
      message:
        'All values are equal: resampling cannot tell how uncertain the estimate is; the interval is a point.',
    });
    return {
      ...shared,
      low: value,
      high: value,
      standardError: 0,
      bias: 0,
      acceleration: Number.NaN,
      method,
      warnings,
    };
  }
  warnAboutSize(design, method, warnings);
  if ((1 - confidence) * resamples < 10) {
    warnings.push({
      code: 'few-resamples',
      message: `${resamples} resamples put fewer than 5 in each tail; use at least ${Math.ceil(10 / (1 - confidence))}.`,
    });
  }
  const run = { resamples, seed, threads: options.threads ?? 'auto' } as const;
  const raw = resampleDistribution(design, statistic, run, method === 'studentized');
  const distribution = dropUndefined(raw.values, warnings);
  if (distribution.length === 0) {
    return {
      ...shared,
      low: Number.NaN,
      high: Number.NaN,
      standardError: Number.NaN,
      bias: Number.NaN,
      acceleration: Number.NaN,
      method,
      warnings,
    };
  }
  const { mean, deviation } = moments(distribution);
  const sorted = distribution.slice().sort();
  const spread = { standardError: deviation, bias: mean - value };

  if (method === 'studentized') {
    const inner = integerAtLeast(options.innerResamples ?? 50, 2, 'options.innerResamples');
    const errors = raw.standardErrors ?? innerStandardErrors(design, statisticFunction(name), run, inner);
    const limits = studentized(design, statistic, raw, errors, value, deviation, confidence, warnings);
    return { ...shared, ...spread, ...limits, acceleration: Number.NaN, method, warnings };
  }
  if (method === 'bca') {
    const rate = acceleration(design, jackknife(design, statistic));
    const limits = Number.isFinite(rate) ? bcaLimits(sorted, value, rate, confidence) : undefined;
    if (limits !== undefined) {
      return {
        ...shared,
        ...spread,
        low: limits.low,
        high: limits.high,
        acceleration: rate,
        method,
        warnings,
      };
    }
    warnings.push({
      code: 'degenerate-correction',
      message: Number.isFinite(rate)
        ? 'Every resample lies on one side of the estimate, so BCa is not defined; these are percentile limits.'
        : 'The statistic does not change when single units are left out, so BCa is not defined; these are percentile limits.',
    });
    return {
      ...shared,
      ...spread,
      ...percentileLimits(sorted, confidence),
      acceleration: rate,
      method: 'percentile',
      warnings,
    };
  }
  const limits =
    method === 'basic' ? basicLimits(sorted, value, confidence) : percentileLimits(sorted, confidence);
  return { ...shared, ...spread, ...limits, acceleration: Number.NaN, method, warnings };
}

function studentized(
  design: Design,
  statistic: Statistic,
  { values }: Distribution,
  errors: Float64Array,
  value: number,
  bootstrapError: number,
  confidence: number,
  warnings: Warning[],
): Limits {
  let standardError = bootstrapError;
  if (statistic.kind === 'sums' && statistic.standardError !== undefined) {
    const sums = Float64Array.from(statistic.columns, (column) => column.reduce((sum, x) => sum + x, 0));
    standardError = statistic.standardError(sums, 0);
  }
  const t = values.map((resampled, r) => studentizedValue(resampled - value, errors[r]!));
  const finite = t.filter((x) => Number.isFinite(x));
  if (finite.length < t.length) {
    warnings.push({
      code: 'undefined-resamples',
      message: `${t.length - finite.length} of ${t.length} resamples had no standard error (all drawn values equal) and were left out.`,
    });
  }
  if (finite.length === 0) return { low: Number.NaN, high: Number.NaN };
  if (design.stratified) {
    warnings.push({
      code: 'approximation',
      message:
        'The standard error of the studentised bootstrap ignores strata; the limits are a little wide.',
    });
  }
  return studentizedLimits(finite.sort(), value, standardError, confidence);
}

function studentizedValue(deviation: number, error: number): number {
  return error > 0 ? deviation / error : Number.NaN;
}

function dropUndefined(values: Float64Array, warnings: Warning[]): Float64Array {
  const defined = values.filter((value) => Number.isFinite(value));
  if (defined.length < values.length) {
    warnings.push({
      code: 'undefined-resamples',
      message: `The statistic was undefined in ${values.length - defined.length} of ${values.length} resamples; they were left out.`,
    });
  }
  return defined;
}

function moments(values: Float64Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / Math.max(1, values.length - 1)) };
}

/** Every group constant, or every paired difference equal. */
function isConstant(design: Design): boolean {
  const constant = (values: Float64Array): boolean => values.every((value) => value === values[0]);
  return design.groups.every((group) => constant(group.values));
}

function warnAboutSize(design: Design, method: BootstrapMethod, warnings: Warning[]): void {
  const least = smallestStratum(design);
  if (method === 'studentized' ? least >= 10 : least >= 30) return;
  const unit = design.clustered ? 'clusters' : 'items';
  const advice = method === 'studentized' ? '' : "; method 'studentized' holds its level better";
  warnings.push({
    code: design.clustered ? 'few-clusters' : 'small-sample',
    message: `Only ${least} ${unit}: bootstrap limits are too narrow for so few${advice}.`,
  });
}

export type { StatsError };
