/**
 * What a thread can be asked to do: compute resamples from … to of one task. Tasks hold only numbers and typed arrays
 * over shared memory, so that they can be posted to a worker, and every resample depends on its index alone, so that
 * the split over threads cannot change a result.
 */
import { nextBelow, nextWord, type Purpose, seedStream } from '../random/index.js';
import { type DrawPlan, drawCounts, drawPlan, drawSum } from './draws.js';

interface TaskBase {
  readonly seed: number;
  readonly purpose: Purpose;
  /** Numbers written per resample. */
  readonly width: number;
}

/** Sums of columns over resampled units; the mean, the standard deviation and their standard errors follow from them. */
export interface SumsTask extends TaskBase {
  readonly kind: 'sums';
  /** Units per stratum; units of a stratum are contiguous. */
  readonly strata: Int32Array;
  /** Groups of 1, 2, 4 or 8 columns, interleaved by unit; see `interleave`. */
  readonly columns: Float64Array;
  readonly lanes: number;
}

/** Median or trimmed mean of the items of resampled units; the difference of two groups when there are two. */
export interface OrderTask extends TaskBase {
  readonly kind: 'order';
  readonly strata: Int32Array;
  readonly groups: readonly { readonly sorted: Float64Array; readonly unitOf: Int32Array }[];
  /** Share cut from each end: ¼ gives the interquartile mean, ½ the median. */
  readonly cut: number;
}

/** Σ ± value with random signs: the permutation distribution of paired differences. */
export interface SignsTask extends TaskBase {
  readonly kind: 'signs';
  /** For each group of four values the sums under all 16 sign patterns. */
  readonly patternSums: Float64Array;
}

/** Total and number of items of a random choice of `chosen` units: the permutation distribution of two groups. */
export interface ShuffleTask extends TaskBase {
  readonly kind: 'shuffle';
  readonly totals: Float64Array;
  readonly sizes: Float64Array;
  readonly chosen: number;
}

export type Task = SumsTask | OrderTask | SignsTask | ShuffleTask;

/** Computes resamples `from` ≤ r < `to` into `out[r · width …]`. */
export function runTask(task: Task, from: number, to: number, out: Float64Array): void {
  if (task.kind === 'sums') {
    if (task.width === 1) runSingleSum(task, from, to, out);
    else runSums(task, from, to, out);
  } else if (task.kind === 'order') runOrder(task, from, to, out);
  else if (task.kind === 'signs') runSigns(task, from, to, out);
  else runShuffle(task, from, to, out);
}

function runSingleSum(task: SumsTask, from: number, to: number, out: Float64Array): void {
  const state = new Int32Array(4);
  const plans = Array.from(task.strata, drawPlan);
  for (let r = from; r < to; r++) {
    seedStream(state, task.seed, task.purpose, r);
    let sum = 0;
    let base = 0;
    for (const plan of plans) {
      sum += drawSum(state, task.columns, base, plan);
      base += plan.size;
    }
    out[r] = sum;
  }
}

function runSums(task: SumsTask, from: number, to: number, out: Float64Array): void {
  const { lanes, columns, width } = task;
  const resampler = new CountResampler(task);
  const units = resampler.counts.length;
  const sums = new Float64Array(lanes);
  for (let r = from; r < to; r++) {
    const counts = resampler.draw(r);
    for (let first = 0; first < width; first += lanes) {
      const start = first * units;
      if (lanes === 2) dot2(counts, columns, start, sums);
      else if (lanes === 4) dot4(counts, columns, start, sums);
      else dot8(counts, columns, start, sums);
      for (let k = 0; k < lanes && first + k < width; k++) out[r * width + first + k] = sums[k]!;
    }
  }
}

/** Draws how often each unit occurs in a resample. */
export class CountResampler {
  readonly counts: Uint16Array;
  private readonly state = new Int32Array(4);
  private readonly plans: readonly DrawPlan[];

  constructor(
    private readonly source: {
      readonly strata: Int32Array;
      readonly seed: number;
      readonly purpose: Purpose;
    },
  ) {
    this.plans = Array.from(source.strata, drawPlan);
    this.counts = new Uint16Array(this.plans.reduce((sum, plan) => sum + plan.size, 0));
  }

  draw(index: number): Uint16Array {
    const { state, counts } = this;
    seedStream(state, this.source.seed, this.source.purpose, index);
    counts.fill(0);
    let base = 0;
    for (const plan of this.plans) {
      drawCounts(state, counts, base, plan);
      base += plan.size;
    }
    return counts;
  }
}

function runOrder(task: OrderTask, from: number, to: number, out: Float64Array): void {
  const resampler = new CountResampler(task);
  const { groups, cut } = task;
  for (let r = from; r < to; r++) {
    const counts = resampler.draw(r);
    let value = trimmedMean(groups[0]!.sorted, groups[0]!.unitOf, counts, cut);
    if (groups.length > 1) value -= trimmedMean(groups[1]!.sorted, groups[1]!.unitOf, counts, cut);
    out[r] = value;
  }
}

/**
 * Mean of the items left after cutting floor(cut · W) from each end, where item i occurs `counts[unitOf[i]]` times and
 * W is the number of occurrences. `cut` = ½ leaves the middle one or two: the median.
 */
export function trimmedMean(
  sorted: Float64Array,
  unitOf: Int32Array,
  counts: Uint16Array,
  cut: number,
): number {
  let weight = 0;
  for (let i = 0; i < unitOf.length; i++) weight += counts[unitOf[i]!]!;
  if (weight === 0) return Number.NaN;
  const drop = cut === 0.5 ? (weight - 1) >> 1 : Math.floor(cut * weight);
  const keep = weight - 2 * drop;
  let skip = drop;
  let needed = keep;
  let sum = 0;
  for (let i = 0; needed > 0; i++) {
    let count = counts[unitOf[i]!]!;
    if (skip >= count) {
      skip -= count;
      continue;
    }
    count = Math.min(count - skip, needed);
    skip = 0;
    sum += count * sorted[i]!;
    needed -= count;
  }
  return sum / keep;
}

function runSigns(task: SignsTask, from: number, to: number, out: Float64Array): void {
  const { patternSums, seed, purpose } = task;
  const state = new Int32Array(4);
  const groups = patternSums.length / 16;
  for (let r = from; r < to; r++) {
    seedStream(state, seed, purpose, r);
    let sum = 0;
    for (let g = 0; g < groups; ) {
      let word = nextWord(state);
      const end = Math.min(g + 8, groups);
      for (; g < end; g++) {
        sum += patternSums[g * 16 + (word & 15)]!;
        word >>>= 4;
      }
    }
    out[r] = sum;
  }
}

function runShuffle(task: ShuffleTask, from: number, to: number, out: Float64Array): void {
  const { totals, sizes, chosen, seed, purpose } = task;
  const units = totals.length;
  const identity = Int32Array.from({ length: units }, (_, i) => i);
  const order = new Int32Array(units);
  const state = new Int32Array(4);
  for (let r = from; r < to; r++) {
    seedStream(state, seed, purpose, r);
    order.set(identity);
    let total = 0;
    let size = 0;
    for (let i = 0; i < chosen; i++) {
      const j = i + nextBelow(state, units - i);
      const unit = order[j]!;
      order[j] = order[i]!;
      total += totals[unit]!;
      size += sizes[unit]!;
    }
    out[2 * r] = total;
    out[2 * r + 1] = size;
  }
}

function dot2(counts: Uint16Array, columns: Float64Array, start: number, sums: Float64Array): void {
  let a = 0;
  let b = 0;
  for (let i = 0, at = start; i < counts.length; i++, at += 2) {
    const count = counts[i]!;
    a += count * columns[at]!;
    b += count * columns[at + 1]!;
  }
  sums[0] = a;
  sums[1] = b;
}

function dot4(counts: Uint16Array, columns: Float64Array, start: number, sums: Float64Array): void {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0, at = start; i < counts.length; i++, at += 4) {
    const count = counts[i]!;
    if (count === 0) continue;
    a += count * columns[at]!;
    b += count * columns[at + 1]!;
    c += count * columns[at + 2]!;
    d += count * columns[at + 3]!;
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

function dot8(counts: Uint16Array, columns: Float64Array, start: number, sums: Float64Array): void {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let e = 0;
  let f = 0;
  let g = 0;
  let h = 0;
  for (let i = 0, at = start; i < counts.length; i++, at += 8) {
    const count = counts[i]!;
    if (count === 0) continue;
    a += count * columns[at]!;
    b += count * columns[at + 1]!;
    c += count * columns[at + 2]!;
    d += count * columns[at + 3]!;
    e += count * columns[at + 4]!;
    f += count * columns[at + 5]!;
    g += count * columns[at + 6]!;
    h += count * columns[at + 7]!;
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
  sums[4] = e;
  sums[5] = f;
  sums[6] = g;
  sums[7] = h;
}
