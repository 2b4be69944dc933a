/**
 * Aggregates over tasks and runs after Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical
 * precipice": interquartile mean and probability of improvement, with bootstrap intervals stratified by task.
 */
import { StatsError, type Warning } from '../errors.js';
import { finiteArray, integerAtLeast, type NumericArray, openUnit } from '../input/index.js';
import { Purpose } from '../random/index.js';
import {
  type BootstrapInterval,
  type BootstrapMethod,
  bootstrapCI,
  CountResampler,
  percentileLimits,
  requireResamples,
  type Threads,
} from '../resampling/index.js';

/** Scores of the runs of each task. */
export type RunsByTask = Readonly<Record<string, NumericArray>>;

export interface AggregateOptions {
  readonly confidence?: number;
  readonly resamples?: number;
  readonly seed?: number;
  readonly threads?: Threads;
}

/**
 * Mean of the middle half of all runs of all tasks: less noisy than the median, less swayed by outliers than the mean.
 * The interval (percentile by default) resamples runs within tasks.
 * @throws {StatsError} for no task, an empty task, fewer than 4 runs in all, or a NaN (with its position)
 */
export function interquartileMean(
  scores: RunsByTask,
  options: AggregateOptions & { readonly method?: BootstrapMethod } = {},
): BootstrapInterval {
  const tasks = readTasks(scores, 'scores');
  const values = tasks.flatMap(({ runs }) => [...runs]);
  if (values.length < 4) {
    throw new StatsError(`expected at least 4 runs in all, got ${values.length}`, { argument: 'scores' });
  }
  const strata = tasks.flatMap(({ name, runs }) => Array.from(runs, () => name));
  const { method = 'percentile', ...rest } = options;
  return bootstrapCI(values, { ...rest, method, statistic: 'iqm', strata });
}

export interface ProbabilityOfImprovement {
  /** P(a > b) + ½ P(a = b), averaged over tasks. */
  readonly probability: number;
  readonly low: number;
  readonly high: number;
  /** Per task, in the order of the keys of a. */
  readonly byTask: Readonly<Record<string, number>>;
  readonly confidence: number;
  readonly method: string;
  readonly resamples: number;
  readonly seed: number;
  /** Runs of a and of b in all. */
  readonly n: readonly number[];
  readonly warnings: readonly Warning[];
}

/**
 * How likely a run of `a` beats a run of `b` on a random task.
 * @throws {StatsError} when the tasks differ, for an empty task, or a NaN (with its position)
 */
export function probabilityOfImprovement(
  a: RunsByTask,
  b: RunsByTask,
  options: AggregateOptions = {},
): ProbabilityOfImprovement {
  const confidence = openUnit(options.confidence ?? 0.95, 'options.confidence');
  const resamples = requireResamples(options.resamples ?? 10_000);
  const seed = integerAtLeast(options.seed ?? 0, Number.MIN_SAFE_INTEGER, 'options.seed');
  const tasks = pairTasks(readTasks(a, 'a'), readTasks(b, 'b'));
  const strata = Int32Array.from(tasks.flatMap(({ left, right }) => [left.length, right.length]));
  const resampler = new CountResampler({ strata, seed, purpose: Purpose.bootstrap });
  const each = new Uint16Array(resampler.counts.length).fill(1);
  const value = (counts: Uint16Array): number => {
    let base = 0;
    let sum = 0;
    for (const { left, right } of tasks) {
      sum += superiority(left, right, counts, base);
      base += left.length + right.length;
    }
    return sum / tasks.length;
  };
  const distribution = Float64Array.from({ length: resamples }, (_, r) => value(resampler.draw(r)));
  const fewest = strata.reduce((least, runs) => Math.min(least, runs), Number.POSITIVE_INFINITY);
  const warnings: Warning[] = [];
  if (fewest < 5) {
    warnings.push({
      code: 'small-sample',
      message: `A task has only ${fewest} ${fewest === 1 ? 'run' : 'runs'}; the interval is too narrow.`,
    });
  }
  const runs = (side: 0 | 1): number =>
    strata.reduce((sum, count, k) => sum + (k % 2 === side ? count : 0), 0);
  return {
    probability: value(each),
    ...percentileLimits(distribution.sort(), confidence),
    byTask: Object.fromEntries(
      tasks.map(({ name, left, right }) => {
        const ones = new Uint16Array(left.length + right.length).fill(1);
        return [name, superiority(left, right, ones, 0)];
      }),
    ),
    confidence,
    method: 'probability of improvement, percentile limits, runs resampled within tasks',
    resamples,
    seed,
    n: [runs(0), runs(1)],
    warnings,
  };
}

interface Task {
  readonly name: string;
  readonly runs: Float64Array;
}

function readTasks(scores: RunsByTask, argument: string): Task[] {
  const names = Object.keys(scores ?? {});
  if (names.length === 0) throw new StatsError('expected at least 1 task, got none', { argument });
  return names.map((name) => ({ name, runs: finiteArray(scores[name]!, `${argument}.${name}`) }));
}

function pairTasks(
  a: readonly Task[],
  b: readonly Task[],
): { name: string; left: Float64Array; right: Float64Array }[] {
  const byName = new Map(b.map((task) => [task.name, task.runs]));
  for (const { name } of b) {
    if (!a.some((task) => task.name === name)) {
      throw new StatsError(`expected the tasks of b, got no '${name}'`, { argument: 'a' });
    }
  }
  return a.map(({ name, runs }) => {
    const right = byName.get(name);
    if (right === undefined)
      throw new StatsError(`expected the tasks of a, got no '${name}'`, { argument: 'b' });
    // Sorted once, so that a resample is one merge of two ascending lists.
    return { name, left: runs.slice().sort(), right: right.slice().sort() };
  });
}

/** P(left > right) + ½ P(equal) when run i of the task occurs counts[base + i] times, left runs first. */
function superiority(left: Float64Array, right: Float64Array, counts: Uint16Array, base: number): number {
  const rightBase = base + left.length;
  let below = 0;
  let twice = 0;
  for (let i = 0, j = 0; i < left.length; i++) {
    while (j < right.length && right[j]! < left[i]!) below += counts[rightBase + j++]!;
    let equal = 0;
    for (let k = j; k < right.length && right[k] === left[i]; k++) equal += counts[rightBase + k]!;
    twice += counts[base + i]! * (2 * below + equal);
  }
  return twice / (2 * left.length * right.length);
}
