/**
 * Permutation tests: paired (signs of differences flip) and two-sample (labels shuffle).
 *
 * All arrangements are enumerated when there are at most 2^20, otherwise random ones are drawn with
 * p = (1 + #extreme)/(1 + draws) (Phipson & Smyth 2010). With clusters whole clusters flip or move. The paired test is
 * exact for differences symmetric about zero under H0, which exchangeable methods give.
 */
import type { Warning } from '../errors.js';
import { StatsError } from '../errors.js';
import { integerAtLeast, type LabelArray, type NumericArray, oneOf } from '../input/index.js';
import { nextBelow, nextWord, Purpose, seedStream } from '../random/index.js';
import {
  type Design,
  makeDesign,
  requireResamples,
  runResamples,
  sharedFloat64,
  type Threads,
} from '../resampling/index.js';
import { type Alternative, requireAlternative, type TestResult } from './result.js';

/** A statistic of both samples; large values favour a. Must not depend on the order. */
export type TwoSampleStatistic = (a: Float64Array, b: Float64Array) => number;

export interface PermutationOptions {
  /** Default true: a[i] and b[i] belong to one item. */
  readonly paired?: boolean;
  /** Default 'mean': the difference of means. */
  readonly statistic?: 'mean' | TwoSampleStatistic;
  readonly alternative?: Alternative;
  /** Default 'auto': exact when there are at most 2^20 arrangements. */
  readonly method?: 'auto' | 'exact' | 'randomized';
  /** Random arrangements; default 10 000. */
  readonly resamples?: number;
  readonly seed?: number;
  /** One array for pairs, {a, b} for independent samples. */
  readonly clusters?: LabelArray | { readonly a: LabelArray; readonly b: LabelArray } | undefined;
  readonly threads?: Threads;
}

export interface PermutationResult extends TestResult {
  /** Arrangements compared: all of them, or the random draws. */
  readonly arrangements: number;
  readonly exact: boolean;
}

const ENUMERATION_LIMIT = 2 ** 20;

/** @throws {StatsError} for fewer than 2 values, mismatched pairs, or an exact test with too many arrangements */
export function permutationTest(
  a: NumericArray,
  b: NumericArray,
  options: PermutationOptions = {},
): PermutationResult {
  const paired = options.paired ?? true;
  const alternative = requireAlternative(options.alternative);
  const method = oneOf(options.method ?? 'auto', ['auto', 'exact', 'randomized'], 'options.method');
  const resamples = requireResamples(options.resamples ?? 10_000);
  const seed = integerAtLeast(options.seed ?? 0, Number.MIN_SAFE_INTEGER, 'options.seed');
  const design = makeDesign({ a, b, paired }, { clusters: options.clusters });
  const all = paired ? 2 ** design.units : binomialCoefficient(design.units, design.strata[0]!);
  const exact = method === 'exact' || (method === 'auto' && all <= ENUMERATION_LIMIT);
  if (exact && all > ENUMERATION_LIMIT) {
    throw new StatsError(`expected at most 2^20 arrangements for 'exact', got ${all.toPrecision(3)}`, {
      argument: 'options.method',
      hint: "Use 'randomized'; its p-value is valid too.",
    });
  }
  const run: Run = { exact, resamples, seed, threads: options.threads ?? 'auto' };
  const statistic = options.statistic ?? 'mean';
  const { observed, values, scale } =
    statistic === 'mean'
      ? paired
        ? pairedMeans(design, run)
        : twoSampleMeans(design, run)
      : customStatistic(design, statistic, run);
  const extreme = countExtreme(values, observed, alternative, 1e-12 * scale);
  const warnings: Warning[] = [];
  if (values.every((value) => Math.abs(value - observed) <= 1e-12 * scale)) {
    warnings.push({
      code: 'constant-data',
      message: 'Every arrangement gives the same statistic; there is nothing to test.',
    });
  }
  return {
    method: `permutation test, ${paired ? 'paired' : 'two-sample'}, ${exact ? 'exact' : 'randomized'}${design.clustered ? ', by cluster' : ''}`,
    statistic: observed,
    pValue: exact ? extreme / values.length : (1 + extreme) / (1 + values.length),
    alternative,
    n: design.n,
    ...(design.clusters === undefined ? {} : { clusters: design.clusters }),
    arrangements: values.length,
    exact,
    warnings,
  };
}

interface Run {
  readonly exact: boolean;
  readonly resamples: number;
  readonly seed: number;
  readonly threads: Threads;
}

/** The statistic of the data and of every arrangement; `scale` is what rounding errors are relative to. */
interface Reference {
  readonly observed: number;
  readonly values: Float64Array;
  readonly scale: number;
}

function countExtreme(
  values: Float64Array,
  observed: number,
  alternative: Alternative,
  slack: number,
): number {
  let count = 0;
  for (const value of values) {
    if (alternative === 'two-sided') count += Math.abs(value) >= Math.abs(observed) - slack ? 1 : 0;
    else if (alternative === 'greater') count += value >= observed - slack ? 1 : 0;
    else count += value <= observed + slack ? 1 : 0;
  }
  return count;
}

function pairedMeans(design: Design, { exact, resamples, seed, threads }: Run): Reference {
  const [a, b] = design.groups as [Design['groups'][0], Design['groups'][0]];
  const n = a.values.length;
  const sums = new Float64Array(design.units);
  for (let i = 0; i < n; i++) sums[a.unitOf[i]!]! += (a.values[i]! - b.values[i]!) / n;
  const observed = sums.reduce((total, value) => total + value, 0);
  const scale = sums.reduce((total, value) => total + Math.abs(value), 0);
  if (exact) return { observed, scale, values: allSignSums(sums) };
  const task = {
    kind: 'signs',
    purpose: Purpose.permutation,
    width: 1,
    seed,
    patternSums: patternSums(sums),
  } as const;
  return { observed, scale, values: runResamples(task, resamples, threads, (resamples * design.units) / 2) };
}

/** Σ ± value for every pattern of signs, by doubling: each value extends all sums so far. */
function allSignSums(values: Float64Array): Float64Array {
  const sums = new Float64Array(2 ** values.length);
  let filled = 1;
  for (const value of values) {
    for (let k = 0; k < filled; k++) {
      sums[filled + k] = sums[k]! - value;
      sums[k]! += value;
    }
    filled *= 2;
  }
  return sums;
}

/** Sums of each group of four values under its 16 sign patterns; missing values of the last group are 0. */
function patternSums(values: Float64Array): Float64Array {
  const groups = Math.ceil(values.length / 4);
  const sums = sharedFloat64(groups * 16);
  for (let g = 0; g < groups; g++) {
    for (let pattern = 0; pattern < 16; pattern++) {
      let sum = 0;
      for (let bit = 0; bit < 4; bit++) {
        const value = values[4 * g + bit] ?? 0;
        sum += (pattern >> bit) & 1 ? -value : value;
      }
      sums[16 * g + pattern] = sum;
    }
  }
  return sums;
}

function twoSampleMeans(design: Design, { exact, resamples, seed, threads }: Run): Reference {
  const totals = sharedFloat64(design.units);
  const sizes = sharedFloat64(design.units);
  for (const { values, unitOf } of design.groups) {
    values.forEach((value, i) => {
      totals[unitOf[i]!]! += value;
      sizes[unitOf[i]!]! += 1;
    });
  }
  const total = totals.reduce((sum, value) => sum + value, 0);
  const size = sizes.reduce((sum, value) => sum + value, 0);
  const chosen = design.strata[0]!;
  const gap = (sum: number, count: number): number => sum / count - (total - sum) / (size - count);
  const first = (column: Float64Array): number =>
    column.subarray(0, chosen).reduce((sum, value) => sum + value, 0);
  const scale = totals.reduce((most, value, u) => Math.max(most, Math.abs(value / sizes[u]!)), 0);
  const observed = gap(first(totals), first(sizes));
  if (exact) return { observed, scale, values: allChoices(totals, sizes, chosen, gap) };
  // The smaller side is drawn; the other follows.
  const smaller = Math.min(chosen, design.units - chosen);
  const sign = smaller === chosen ? 1 : -1;
  const task = {
    kind: 'shuffle',
    purpose: Purpose.permutation,
    width: 2,
    seed,
    totals,
    sizes,
    chosen: smaller,
  } as const;
  const rows = runResamples(task, resamples, threads, 6 * resamples * smaller);
  const values = Float64Array.from(
    { length: resamples },
    (_, r) => sign * gap(rows[2 * r]!, rows[2 * r + 1]!),
  );
  return { observed, scale, values };
}

function allChoices(
  totals: Float64Array,
  sizes: Float64Array,
  chosen: number,
  gap: (sum: number, count: number) => number,
): Float64Array {
  const values = new Float64Array(binomialCoefficient(totals.length, chosen));
  let at = 0;
  const choose = (from: number, left: number, sum: number, count: number): void => {
    if (left === 0) {
      values[at++] = gap(sum, count);
      return;
    }
    for (let unit = from; unit <= totals.length - left; unit++) {
      choose(unit + 1, left - 1, sum + totals[unit]!, count + sizes[unit]!);
    }
  };
  choose(0, chosen, 0, 0);
  return values;
}

/** Any statistic, evaluated on rearranged samples on this thread. */
function customStatistic(design: Design, statistic: TwoSampleStatistic, run: Run): Reference {
  const [a, b] = design.groups as [Design['groups'][0], Design['groups'][0]];
  const observed = statistic(a.values, b.values);
  const paired = design.kind === 'paired';
  const count = run.exact
    ? paired
      ? 2 ** design.units
      : binomialCoefficient(design.units, design.strata[0]!)
    : run.resamples;
  const inFirst = new Uint8Array(design.units).fill(1, 0, design.strata[0]!);
  const state = new Int32Array(4);
  const values = new Float64Array(count);
  for (let r = 0; r < count; r++) {
    if (run.exact) {
      if (paired) for (let u = 0; u < design.units; u++) inFirst[u] = (r >> u) & 1;
      else if (r > 0) nextCombination(inFirst);
    } else {
      seedStream(state, run.seed, Purpose.permutation, r);
      if (paired) for (let u = 0; u < design.units; u++) inFirst[u] = nextWord(state) & 1;
      else shuffle(inFirst, state);
    }
    const [left, right] = rearrange(a, b, inFirst, paired);
    values[r] = statistic(left, right);
    if (!Number.isFinite(values[r])) {
      throw new StatsError(`expected a finite statistic for every arrangement, got ${values[r]}`, {
        argument: 'options.statistic',
      });
    }
  }
  return { observed, values, scale: Math.abs(observed) };
}

function rearrange(
  a: Design['groups'][0],
  b: Design['groups'][0],
  inFirst: Uint8Array,
  paired: boolean,
): [Float64Array, Float64Array] {
  if (paired) {
    return [
      a.values.map((value, i) => (inFirst[a.unitOf[i]!] ? value : b.values[i]!)),
      b.values.map((value, i) => (inFirst[a.unitOf[i]!] ? value : a.values[i]!)),
    ];
  }
  const sides: [number[], number[]] = [[], []];
  for (const { values, unitOf } of [a, b])
    values.forEach((value, i) => {
      sides[inFirst[unitOf[i]!] ? 0 : 1].push(value);
    });
  return [Float64Array.from(sides[0]), Float64Array.from(sides[1])];
}

function shuffle(marks: Uint8Array, state: Int32Array): void {
  for (let i = marks.length - 1; i > 0; i--) {
    const j = nextBelow(state, i + 1);
    const mark = marks[i]!;
    marks[i] = marks[j]!;
    marks[j] = mark;
  }
}

/** The next choice of the same number of units in lexicographic order; cyclic. */
function nextCombination(marks: Uint8Array): void {
  let i = marks.length - 1;
  let ones = 0;
  while (i >= 0 && marks[i] === 1) {
    ones++;
    marks[i--] = 0;
  }
  while (i >= 0 && marks[i] === 0) i--;
  if (i < 0) {
    marks.fill(1, 0, ones);
    return;
  }
  marks[i] = 0;
  marks.fill(1, i + 1, i + 2 + ones);
}

function binomialCoefficient(n: number, k: number): number {
  let value = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) value = (value * (n - i + 1)) / i;
  return Math.round(value);
}
