/**
 * Bootstrap over seeds × items: how far would the mean move with other seeds and other items?
 *
 * Resampling both levels outright (`scheme: 'plain'`, the usual hierarchical bootstrap) counts the interaction of seed and
 * item up to three times (Owen 2007) and shrinks the seed part by (S−1)/S. The default `'matched'` draws items and seed
 * deviations separately and scales the latter so that each variance component enters once. With the few seeds that
 * training allows, percentiles are far too narrow; limits use Student's t with Satterthwaite's degrees of freedom.
 */
import { studentT } from '../distributions/index.js';
import { StatsError, type Warning } from '../errors.js';
import {
  finiteArray,
  grouping,
  integerAtLeast,
  type LabelArray,
  type NumericArray,
  oneOf,
  openUnit,
} from '../input/index.js';
import { nextBelow, Purpose, seedStream } from '../random/index.js';
import {
  makeDesign,
  makeStatistic,
  percentileLimits,
  requireResamples,
  resampleDistribution,
  resampleSums,
  type Threads,
} from '../resampling/index.js';
import {
  averageRows,
  type SeedComponent,
  type SeedRows,
  satterthwaite,
  seedComponent,
} from './components.js';

/** Rows are seeds, columns are items. */
export type SeedsByItems = ArrayLike<NumericArray>;

/** One method, or two on the same items (each with its own seeds), whose difference a − b is meant. */
export type HierarchicalData = SeedsByItems | { readonly a: SeedsByItems; readonly b: SeedsByItems };

export interface HierarchicalOptions {
  /** Cluster of each item. */
  readonly clusters?: LabelArray | undefined;
  readonly scheme?: 'matched' | 'plain';
  /** Default 't'. */
  readonly limits?: 't' | 'percentile';
  readonly confidence?: number;
  readonly resamples?: number;
  readonly seed?: number;
  readonly threads?: Threads;
}

export interface HierarchicalInterval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly standardError: number;
  readonly degreesOfFreedom: number;
  /** Share of the variance that comes from the seeds: above one half, more items help less than more seeds. */
  readonly seedShare: number;
  readonly confidence: number;
  readonly method: string;
  readonly resamples: number;
  readonly seed: number;
  /** Items. */
  readonly n: readonly number[];
  /** Seeds of each method. */
  readonly seeds: readonly number[];
  readonly clusters?: readonly number[];
  readonly warnings: readonly Warning[];
}

/** @throws {StatsError} for ragged rows, different items in a and b, a NaN (with its position), or a single seed in all */
export function hierarchicalBootstrap(
  data: HierarchicalData,
  options: HierarchicalOptions = {},
): HierarchicalInterval {
  const confidence = openUnit(options.confidence ?? 0.95, 'options.confidence');
  const resamples = requireResamples(options.resamples ?? 10_000);
  const seed = integerAtLeast(options.seed ?? 0, Number.MIN_SAFE_INTEGER, 'options.seed');
  const scheme = oneOf(options.scheme ?? 'matched', ['matched', 'plain'], 'options.scheme');
  const form = oneOf(options.limits ?? 't', ['t', 'percentile'], 'options.limits');
  const methods = readMethods(data);
  const n = methods[0]!.rows[0]!.length;
  const units =
    options.clusters === undefined
      ? { codes: Int32Array.from({ length: n }, (_, i) => i), count: n }
      : grouping(options.clusters, n, 'options.clusters');
  const components = methods.map(({ rows }) => seedComponent(rows, units.codes, units.count));
  const run: Run = { resamples, seed, threads: options.threads ?? 'auto', clusters: options.clusters };
  const distribution =
    scheme === 'matched'
      ? matchedDistribution(methods, components, run)
      : plainDistribution(methods, units, run);

  const signs = [1, -1];
  const estimate = components.reduce((sum, part, k) => sum + signs[k]! * meanOf(part.means), 0);
  const standardError = deviationOf(distribution);
  const seedVariance = components.reduce((sum, part) => sum + part.variance, 0);
  const itemVariance = Math.max(0, standardError ** 2 - seedVariance);
  const degreesOfFreedom = satterthwaite([
    ...components,
    { variance: itemVariance, degreesOfFreedom: units.count - 1 },
  ]);
  const tail = (1 - confidence) / 2;
  const margin = standardError === 0 ? 0 : studentT.upperQuantile(tail, degreesOfFreedom) * standardError;
  const limits =
    form === 't'
      ? { low: estimate - margin, high: estimate + margin }
      : percentileLimits(distribution.sort(), confidence);
  return {
    estimate,
    ...limits,
    standardError,
    degreesOfFreedom,
    seedShare: standardError === 0 ? 0 : Math.min(1, seedVariance / standardError ** 2),
    confidence,
    method: `hierarchical bootstrap (${scheme}), ${form === 't' ? 't limits' : 'percentile limits'}`,
    resamples,
    seed,
    n: [n],
    seeds: methods.map(({ rows }) => rows.length),
    ...(options.clusters === undefined ? {} : { clusters: [units.count] }),
    warnings: warningsFor(methods, form, standardError),
  };
}

interface Method {
  readonly rows: SeedRows;
}

interface Run {
  readonly resamples: number;
  readonly seed: number;
  readonly threads: Threads;
  readonly clusters: LabelArray | undefined;
}

function readMethods(data: HierarchicalData): Method[] {
  const two = typeof data === 'object' && data !== null && 'a' in data;
  const methods = two ? [readRows(data.a, 'data.a'), readRows(data.b, 'data.b')] : [readRows(data, 'data')];
  const [first, second] = methods;
  if (second !== undefined && second.rows[0]!.length !== first!.rows[0]!.length) {
    throw new StatsError(
      `expected rows of ${first!.rows[0]!.length} items as in data.a, got ${second.rows[0]!.length}`,
      { argument: 'data.b', hint: 'Both methods must be scored on the same items.' },
    );
  }
  if (methods.every(({ rows }) => rows.length < 2)) {
    throw new StatsError('expected at least 2 seeds, got 1', {
      argument: two ? 'data.a' : 'data',
      hint: 'With one seed use bootstrapCI; nothing can be said about other seeds.',
    });
  }
  return methods;
}

function readRows(rows: SeedsByItems, argument: string): Method {
  if (!(typeof rows === 'object' && rows !== null && rows.length > 0)) {
    throw new StatsError('expected at least 1 row (seed), got none', { argument });
  }
  const checked = Array.from(rows, (row, s) => finiteArray(row, `${argument}[${s}]`, 2));
  checked.forEach((row, s) => {
    if (row.length !== checked[0]!.length) {
      throw new StatsError(`expected ${checked[0]!.length} items as in row 0, got ${row.length}`, {
        argument,
        index: s,
        hint: 'Every seed must be scored on the same items in the same order.',
      });
    }
  });
  return { rows: checked };
}

/** Items resampled for the average over seeds, plus scaled deviations of resampled seeds. */
function matchedDistribution(
  methods: readonly Method[],
  components: readonly SeedComponent[],
  run: Run,
): Float64Array {
  const averages = methods.map(({ rows }) => averageRows(rows));
  const [first, second] = averages;
  const design = makeDesign(second === undefined ? first! : { a: first!, b: second, paired: true }, {
    clusters: run.clusters,
  });
  const items = resampleDistribution(design, makeStatistic(design, 'mean', false), run).values;
  // The item part of a bootstrap variance is short by (G−1)/G; the seed part draws S−1 of S, which is unbiased.
  const itemScale = Math.sqrt(design.units / (design.units - 1));
  const centre = items.reduce((sum, value) => sum + value, 0) / items.length;
  const state = new Int32Array(4);
  return items.map((value, r) => {
    seedStream(state, run.seed, Purpose.seeds, r);
    let total = centre + itemScale * (value - centre);
    components.forEach(({ means, scale }, k) => {
      if (means.length < 2) return;
      const deviation = meanOfDraws(means, means.length - 1, state) - meanOf(means);
      total += (k === 0 ? 1 : -1) * scale * deviation;
    });
    return total;
  });
}

/** Seeds and items both resampled with replacement, the same items for every seed. */
function plainDistribution(
  methods: readonly Method[],
  units: { codes: Int32Array; count: number },
  run: Run,
): Float64Array {
  const perUnit = (row: Float64Array | undefined): Float64Array => {
    const column = new Float64Array(units.count);
    units.codes.forEach((unit, i) => {
      column[unit]! += row === undefined ? 1 : row[i]!;
    });
    return column;
  };
  const columns = [perUnit(undefined), ...methods.flatMap(({ rows }) => rows.map(perUnit))];
  const sums = resampleSums(Int32Array.of(units.count), columns, run);
  const width = columns.length;
  const state = new Int32Array(4);
  return Float64Array.from({ length: run.resamples }, (_, r) => {
    seedStream(state, run.seed, Purpose.seeds, r);
    const size = sums[r * width]!;
    let total = 0;
    let start = r * width + 1;
    methods.forEach(({ rows }, k) => {
      const means = sums.subarray(start, start + rows.length).map((sum) => sum / size);
      total += (k === 0 ? 1 : -1) * meanOfDraws(means, rows.length, state);
      start += rows.length;
    });
    return total;
  });
}

function meanOfDraws(values: Float64Array, draws: number, state: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < draws; i++) sum += values[nextBelow(state, values.length)]!;
  return sum / draws;
}

function warningsFor(methods: readonly Method[], form: 't' | 'percentile', standardError: number): Warning[] {
  const warnings: Warning[] = [];
  const fewest = Math.min(...methods.map(({ rows }) => rows.length));
  if (standardError === 0) warnings.push({ code: 'constant-data', message: 'All scores are equal.' });
  if (fewest === 1) {
    warnings.push({
      code: 'small-sample',
      message:
        'One method has a single seed and is taken as deterministic; its training noise is not in the interval.',
    });
  }
  if (fewest > 1 && fewest < 5) {
    warnings.push({
      code: 'small-sample',
      message: `${fewest} seeds: how much seeds differ is hardly known, and the true coverage of 95 % limits is 92 to 97 %.`,
    });
  }
  if (fewest > 1 && fewest < 10 && form === 'percentile') {
    warnings.push({
      code: 'small-sample',
      message: `${fewest} seeds are too few for percentile limits; use limits: 't'.`,
    });
  }
  return warnings;
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: Float64Array): number {
  const mean = meanOf(values);
  return Math.sqrt(
    values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1),
  );
}
