/**
 * Statistics as the engine sees them. The mean and the standard deviation are functions of column sums over units, the
 * median and the interquartile mean walk sorted items, anything else is a function of the resampled values.
 *
 * Each answers three questions about a design: its value, its value without unit u (the jackknife, for BCa), and, where
 * a formula exists, its standard error from the same sums (for the studentised bootstrap).
 */
import { StatsError } from '../errors.js';
import type { Design, Group } from './design.js';
import { sharedFloat64 } from './parallel.js';
import { trimmedMean } from './tasks.js';

/** A statistic of one sample; for two samples the engine takes the difference. Must not depend on the order. */
export type StatisticFunction = (sample: Float64Array) => number;
export type StatisticName = 'mean' | 'median' | 'std' | 'iqm';

export interface SumStatistic {
  readonly kind: 'sums';
  /** One value per unit and column. */
  readonly columns: readonly Float64Array[];
  /** The statistic from the column sums at `sums[at …]`; `missing` is the unit left out by the jackknife, or −1. */
  readonly value: (sums: Float64Array, at: number, missing: number) => number;
  readonly standardError?: ((sums: Float64Array, at: number) => number) | undefined;
}

export interface OrderStatistic {
  readonly kind: 'order';
  readonly cut: number;
}

export interface FunctionStatistic {
  readonly kind: 'function';
  readonly apply: StatisticFunction;
}

export type Statistic = SumStatistic | OrderStatistic | FunctionStatistic;

/** `withError` adds the columns that the standard error needs. */
export function makeStatistic(
  design: Design,
  statistic: StatisticName | StatisticFunction,
  withError: boolean,
): Statistic {
  if (typeof statistic === 'function') return { kind: 'function', apply: statistic };
  switch (statistic) {
    case 'mean':
      return meanStatistic(design, withError);
    case 'std':
      return stdStatistic(design, withError);
    case 'median':
      return { kind: 'order', cut: 0.5 };
    case 'iqm':
      return { kind: 'order', cut: 0.25 };
    default:
      throw new StatsError(
        `expected 'mean', 'median', 'std', 'iqm' or a function, got ${String(statistic)}`,
        {
          argument: 'options.statistic',
        },
      );
  }
}

/** The named statistics as functions of a sample, for the paths that have no formula. */
export function statisticFunction(statistic: StatisticName | StatisticFunction): StatisticFunction {
  if (typeof statistic === 'function') return statistic;
  if (statistic === 'mean') return meanOf;
  if (statistic === 'std') {
    return (sample) => {
      const centre = meanOf(sample);
      return Math.sqrt(sample.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (sample.length - 1));
    };
  }
  const cut = statistic === 'median' ? 0.5 : 0.25;
  return (sample) => {
    const identity = Int32Array.from(sample, (_, i) => i);
    return trimmedMean(
      Float64Array.from(sample).sort(),
      identity,
      new Uint16Array(sample.length).fill(1),
      cut,
    );
  };
}

/** The statistic of the data themselves. */
export function estimate(design: Design, statistic: Statistic): number {
  if (statistic.kind === 'sums') return statistic.value(totals(statistic.columns), 0, -1);
  const each = new Uint16Array(design.units).fill(1);
  return valueWithCounts(design, statistic, each, sortedGroups(design, statistic));
}

/** The statistic without unit u, for every u. */
export function jackknife(design: Design, statistic: Statistic): Float64Array {
  const values = new Float64Array(design.units);
  if (statistic.kind === 'sums') {
    const all = totals(statistic.columns);
    const without = new Float64Array(all.length);
    for (let u = 0; u < design.units; u++) {
      for (let k = 0; k < all.length; k++) without[k] = all[k]! - statistic.columns[k]![u]!;
      values[u] = statistic.value(without, 0, u);
    }
    return values;
  }
  const counts = new Uint16Array(design.units).fill(1);
  const sorted = sortedGroups(design, statistic);
  for (let u = 0; u < design.units; u++) {
    counts[u] = 0;
    values[u] = valueWithCounts(design, statistic, counts, sorted);
    counts[u] = 1;
  }
  return values;
}

/** Items sorted by value, with the unit of each; only order statistics need them. */
export function sortedGroups(
  design: Design,
  statistic: Statistic,
): { sorted: Float64Array; unitOf: Int32Array }[] {
  if (statistic.kind !== 'order') return [];
  return design.groups.map(({ values, unitOf }) => {
    const order = Array.from(values, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
    return {
      sorted: Float64Array.from(order, (i) => values[i]!),
      unitOf: Int32Array.from(order, (i) => unitOf[i]!),
    };
  });
}

/** An order or function statistic when unit u occurs `counts[u]` times. */
export function valueWithCounts(
  design: Design,
  statistic: OrderStatistic | FunctionStatistic,
  counts: Uint16Array,
  sorted: readonly { sorted: Float64Array; unitOf: Int32Array }[],
): number {
  const values =
    statistic.kind === 'order'
      ? sorted.map((group) => trimmedMean(group.sorted, group.unitOf, counts, statistic.cut))
      : design.groups.map((group) => statistic.apply(expand(group, counts)));
  return values.length === 1 ? values[0]! : values[0]! - values[1]!;
}

/** The items of a resample, in item order. */
function expand({ values, unitOf }: Group, counts: Uint16Array): Float64Array {
  let length = 0;
  for (let i = 0; i < unitOf.length; i++) length += counts[unitOf[i]!]!;
  const sample = new Float64Array(length);
  let at = 0;
  for (let i = 0; i < unitOf.length; i++) {
    for (let copies = counts[unitOf[i]!]!; copies > 0; copies--) sample[at++] = values[i]!;
  }
  return sample;
}

/** Σ over units of every column. */
function totals(columns: readonly Float64Array[]): Float64Array {
  return Float64Array.from(columns, (column) => column.reduce((sum, value) => sum + value, 0));
}

/** Per-unit totals of `f(value)` over the items of a group. */
function perUnit(design: Design, group: Group, f: (value: number) => number): Float64Array {
  const column = sharedFloat64(design.units);
  for (let i = 0; i < group.values.length; i++) column[group.unitOf[i]!]! += f(group.values[i]!);
  return column;
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function product(a: Float64Array, b: Float64Array): Float64Array {
  const column = sharedFloat64(a.length);
  for (let i = 0; i < a.length; i++) column[i] = a[i]! * b[i]!;
  return column;
}

/**
 * The mean of one sample. Values are centred on their mean first: sums of small numbers keep their digits and the
 * standard error does not cancel. Centred items sum to 0, so that leaving one out only rescales.
 */
function sampleMean(design: Design, group: Group, first: number, withError: boolean): SumStatistic {
  const centre = meanOf(group.values);
  const total = perUnit(design, group, (value) => value - centre);
  const size = perUnit(design, group, () => 1);
  if (!design.clustered) {
    const n = group.values.length;
    return {
      kind: 'sums',
      columns: withError ? [total, product(total, total)] : [total],
      value: (sums, at, missing) => centre + sums[at + first]! / (n - (missing < 0 ? 0 : size[missing]!)),
      standardError: (sums, at) => {
        const delta = sums[at + first]! / n;
        return Math.sqrt(Math.max(0, sums[at + first + 1]! / n - delta * delta) / (n - 1));
      },
    };
  }
  const units = size.reduce((count, items) => count + (items > 0 ? 1 : 0), 0);
  return {
    kind: 'sums',
    columns: withError
      ? [total, size, product(total, total), product(total, size), product(size, size)]
      : [total, size],
    value: (sums, at) => centre + sums[at + first]! / sums[at + first + 1]!,
    // Cluster-robust variance of a ratio of totals, with G/(G−1).
    standardError: (sums, at) => {
      const k = at + first;
      const n = sums[k + 1]!;
      const delta = sums[k]! / n;
      const residual = sums[k + 2]! - 2 * delta * sums[k + 3]! + delta * delta * sums[k + 4]!;
      return Math.sqrt((Math.max(0, residual) * units) / (units - 1)) / n;
    },
  };
}

function meanStatistic(design: Design, withError: boolean): SumStatistic {
  const [first, second] = design.groups;
  if (second === undefined) return sampleMean(design, first!, 0, withError);
  if (design.kind === 'paired') {
    const differences = first!.values.map((value, i) => value - second.values[i]!);
    return sampleMean(design, { values: differences, unitOf: first!.unitOf }, 0, withError);
  }
  if (!design.clustered && !withError) return linearMeanDifference(design, first!, second);
  return difference(sampleMean(design, first!, 0, withError), (offset) =>
    sampleMean(design, second, offset, withError),
  );
}

/** The difference of two means as one column of weighted items: the cheapest resample. */
function linearMeanDifference(design: Design, first: Group, second: Group): SumStatistic {
  const column = sharedFloat64(design.units);
  const centres = [meanOf(first.values), meanOf(second.values)] as const;
  first.values.forEach((value, i) => {
    column[first.unitOf[i]!] = (value - centres[0]) / first.values.length;
  });
  second.values.forEach((value, i) => {
    column[second.unitOf[i]!] = -(value - centres[1]) / second.values.length;
  });
  const boundary = first.values.length;
  return {
    kind: 'sums',
    columns: [column],
    value: (sums, at, missing) => {
      const n = missing < boundary ? boundary : second.values.length;
      return centres[0] - centres[1] + sums[at]! * (missing < 0 ? 1 : n / (n - 1));
    },
  };
}

/** Sample standard deviation (n − 1) of one group; its standard error by the delta method on the moments. */
function sampleStd(design: Design, group: Group, first: number, withError: boolean): SumStatistic {
  const centre = meanOf(group.values);
  const power = (k: number): Float64Array => perUnit(design, group, (value) => (value - centre) ** k);
  const size = perUnit(design, group, () => 1);
  const fixed = group.values.length;
  const moments = withError ? [power(1), power(2), power(3), power(4)] : [power(1), power(2)];
  const variance = (sums: Float64Array, at: number, n: number): number => {
    const delta = sums[at + first]! / n;
    return Math.max(0, sums[at + first + 1]! / n - delta * delta);
  };
  return {
    kind: 'sums',
    columns: design.clustered ? [...moments, size] : moments,
    value: (sums, at, missing) => {
      const n = design.clustered
        ? sums[at + first + moments.length]!
        : fixed - (missing < 0 ? 0 : size[missing]!);
      return Math.sqrt((variance(sums, at, n) * n) / (n - 1));
    },
    standardError: design.clustered
      ? undefined
      : (sums, at) => {
          const second = variance(sums, at, fixed);
          const [m1, m2, m3, m4] = [0, 1, 2, 3].map((k) => sums[at + first + k]! / fixed) as Moments;
          const fourth = m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1 ** 4;
          return Math.sqrt(Math.max(0, fourth - second * second) / (4 * second * fixed));
        },
  };
}

type Moments = [number, number, number, number];

function stdStatistic(design: Design, withError: boolean): SumStatistic {
  const [first, second] = design.groups;
  const left = sampleStd(design, first!, 0, withError);
  return second === undefined
    ? left
    : difference(
        left,
        (offset) => sampleStd(design, second, offset, withError),
        design.kind === 'two-sample',
      );
}

/** left − right, whose columns stand behind those of left; squared errors add when the samples are independent. */
function difference(
  left: SumStatistic,
  makeRight: (offset: number) => SumStatistic,
  independent = true,
): SumStatistic {
  const right = makeRight(left.columns.length);
  const leftError = left.standardError;
  const rightError = right.standardError;
  return {
    kind: 'sums',
    columns: [...left.columns, ...right.columns],
    value: (sums, at, missing) => left.value(sums, at, missing) - right.value(sums, at, missing),
    standardError:
      independent && leftError !== undefined && rightError !== undefined
        ? (sums, at) => Math.hypot(leftError(sums, at), rightError(sums, at))
        : undefined,
  };
}
