/** The bootstrap distribution of a statistic over a design. */
import { nextBelow, Purpose, seedStream } from '../random/index.js';
import { interleave } from './column-kernel.js';
import type { Design } from './design.js';
import { runResamples, sharedFloat64, type Threads } from './parallel.js';
import {
  type Statistic,
  type StatisticFunction,
  type SumStatistic,
  sortedGroups,
  valueWithCounts,
} from './statistic.js';
import { CountResampler, type SumsTask } from './tasks.js';

export interface ResampleOptions {
  readonly resamples: number;
  readonly seed: number;
  readonly threads: Threads;
}

/** θ* of every resample, and its standard error where the statistic has a formula and `withError` is set. */
export interface Distribution {
  readonly values: Float64Array;
  readonly standardErrors?: Float64Array;
}

export function resampleDistribution(
  design: Design,
  statistic: Statistic,
  options: ResampleOptions,
  withError = false,
): Distribution {
  const { resamples, seed, threads } = options;
  if (statistic.kind === 'sums') {
    const sums = resampleSums(design.strata, statistic.columns, options);
    const width = statistic.columns.length;
    const each = (f: (sums: Float64Array, at: number) => number): Float64Array =>
      Float64Array.from({ length: resamples }, (_, r) => f(sums, r * width));
    const values = each((row, at) => statistic.value(row, at, -1));
    return withError && statistic.standardError !== undefined
      ? { values, standardErrors: each(statistic.standardError) }
      : { values };
  }
  const sorted = sortedGroups(design, statistic);
  if (statistic.kind === 'order') {
    const { strata } = design;
    const task = {
      kind: 'order',
      purpose: Purpose.bootstrap,
      width: 1,
      seed,
      strata,
      cut: statistic.cut,
    } as const;
    return {
      values: runResamples({ ...task, groups: sorted }, resamples, threads, 4 * resamples * design.units),
    };
  }
  const resampler = new CountResampler({ strata: design.strata, seed, purpose: Purpose.bootstrap });
  const values = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++)
    values[r] = valueWithCounts(design, statistic, resampler.draw(r), sorted);
  return { values };
}

/** Row r holds the sums of every column over resample r: resamples × columns. */
export function resampleSums(
  strata: Int32Array,
  columns: readonly Float64Array[],
  { resamples, seed, threads }: ResampleOptions,
): Float64Array {
  const width = columns.length;
  const task: SumsTask = {
    kind: 'sums',
    purpose: Purpose.bootstrap,
    seed,
    strata,
    width,
    columns: width === 1 ? columns[0]! : interleave(columns, sharedFloat64),
  };
  return runResamples(task, resamples, threads, resamples * columns[0]!.length * (1 + 0.5 * (width - 1)));
}

/**
 * Standard errors of θ* by a second bootstrap inside each resample, for statistics without a formula. Costs
 * `innerResamples` evaluations per resample.
 */
export function innerStandardErrors(
  design: Design,
  apply: StatisticFunction,
  options: ResampleOptions,
  innerResamples: number,
): Float64Array {
  const resampler = new CountResampler({
    strata: design.strata,
    seed: options.seed,
    purpose: Purpose.bootstrap,
  });
  const inner = new Uint16Array(design.units);
  const state = new Int32Array(4);
  const drawn = new Int32Array(design.units);
  const statistic = { kind: 'function', apply } as const;
  return Float64Array.from({ length: options.resamples }, (_, r) => {
    const counts = resampler.draw(r);
    listUnits(counts, drawn);
    let mean = 0;
    let squares = 0;
    for (let k = 1; k <= innerResamples; k++) {
      seedStream(state, options.seed, Purpose.innerBootstrap, r * innerResamples + k);
      drawAgain(design.strata, drawn, inner, state);
      const value = valueWithCounts(design, statistic, inner, []);
      const step = value - mean;
      mean += step / k;
      squares += step * (value - mean);
    }
    return Math.sqrt(squares / (innerResamples - 1));
  });
}

/** Units of a resample one by one, stratum by stratum. */
function listUnits(counts: Uint16Array, drawn: Int32Array): void {
  let at = 0;
  for (let unit = 0; unit < counts.length; unit++) {
    for (let copies = counts[unit]!; copies > 0; copies--) drawn[at++] = unit;
  }
}

function drawAgain(strata: Int32Array, drawn: Int32Array, counts: Uint16Array, state: Int32Array): void {
  counts.fill(0);
  let base = 0;
  for (const size of strata) {
    for (let i = 0; i < size; i++) counts[drawn[base + nextBelow(state, size)]!]!++;
    base += size;
  }
}

export type { SumStatistic };
