/**
 * What a thread can be asked to do: compute resamples from … to of one task. Tasks hold only numbers and typed arrays
 * over shared memory, so that they can be posted to a worker, and every resample depends on its index alone, so that
 * the split over threads cannot change a result.
 */
import { nextBelow, nextWord, type Purpose, seedStream } from '../random/index.js';
import { blockSumOf } from './block-kernel.js';
import { BATCH, type ColumnKernel, columnKernel, paddedWidth } from './column-kernel.js';
import { type DrawPlan, drawCounts, drawPlan, drawSum, plainBlockSum } from './draws.js';

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
  /** As `interleave` packs them; a single column stands as it is. */
  readonly columns: Float64Array;
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
  const blockSum = blockSumOf(task.columns) ?? plainBlockSum;
  for (let r = from; r < to; r++) {
    seedStream(state, task.seed, task.purpose, r);
    let sum = 0;
    let base = 0;
    for (const plan of plans) {
      sum += drawSum(state, task.columns, base, plan, blockSum);
      base += plan.size;
    }
    out[r] = sum;
  }
}

/** The kernel of the last task: chunks of one task share it. */
let lastKernel: { readonly columns: Float64Array; readonly kernel: ColumnKernel } | undefined;

function kernelOf({ columns, width }: SumsTask): ColumnKernel {
  if (lastKernel?.columns !== columns) lastKernel = { columns, kernel: columnKernel(columns, width) };
  return lastKernel.kernel;
}

function runSums(task: SumsTask, from: number, to: number, out: Float64Array): void {
  const { width } = task;
  const padded = paddedWidth(width);
  const kernel = kernelOf(task);
  const resampler = new CountResampler(task);
  const units = resampler.counts.length;
  for (let start = from; start < to; start += BATCH) {
    const batch = Math.min(BATCH, to - start);
    for (let b = 0; b < batch; b++) kernel.counts.set(resampler.draw(start + b), b * units);
    kernel.sum(batch);
    for (let b = 0; b < batch; b++) {
      for (let k = 0; k < width; k++) out[(start + b) * width + k] = kernel.sums[b * padded + k]!;
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

/** Pattern groups per tile: 64 groups of 16 sums, eight random words per resample. */
const SIGN_TILE = 64;

function runSigns(task: SignsTask, from: number, to: number, out: Float64Array): void {
  const { patternSums, seed, purpose } = task;
  const groups = patternSums.length / 16;
  const states = Array.from({ length: BATCH }, () => new Int32Array(4));
  for (let start = from; start < to; start += BATCH) {
    const batch = Math.min(BATCH, to - start);
    for (let b = 0; b < batch; b++) seedStream(states[b]!, seed, purpose, start + b);
    out.fill(0, start, start + batch);
    for (let tile = 0; tile < groups; tile += SIGN_TILE) {
      const end = Math.min(tile + SIGN_TILE, groups);
      for (let b = 0; b < batch; b++) out[start + b]! += signedTile(states[b]!, patternSums, tile, end);
    }
  }
}

function signedTile(state: Int32Array, patternSums: Float64Array, from: number, to: number): number {
  let sum = 0;
  let other = 0;
  let at = from * 16;
  let left = to - from;
  for (; left >= 8; left -= 8) {
    const word = nextWord(state);
    sum += patternSums[at + (word & 15)]! + patternSums[at + 16 + ((word >>> 4) & 15)]!;
    other += patternSums[at + 32 + ((word >>> 8) & 15)]! + patternSums[at + 48 + ((word >>> 12) & 15)]!;
    sum += patternSums[at + 64 + ((word >>> 16) & 15)]! + patternSums[at + 80 + ((word >>> 20) & 15)]!;
    other += patternSums[at + 96 + ((word >>> 24) & 15)]! + patternSums[at + 112 + (word >>> 28)]!;
    at += 128;
  }
  if (left > 0) {
    let word = nextWord(state);
    for (; left > 0; left--, at += 16, word >>>= 4) sum += patternSums[at + (word & 15)]!;
  }
  return sum + other;
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
