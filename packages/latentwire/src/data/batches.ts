/**
 * Which examples form batch i of epoch e: a function of (seed, epoch, index), nothing else, so that resume needs no
 * replay. Examples come in a keyed random order; within a window of some batches they are sorted by length, so that a
 * batch holds texts of like length and little padding, and the window's batches are shuffled again.
 */
import { random } from '@latentwire/torch';

export interface BatchPlanOptions {
  /** Length of each example in tokens. */
  readonly lengths: ArrayLike<number>;
  readonly batchSize: number;
  readonly stream: random.RandomStream;
  /** Batches that are sorted by length together; 1 = no sorting. */
  readonly windowBatches?: number;
}

export class BatchPlan {
  /** Batches in one epoch; the last one of an epoch may be short. */
  readonly batchesPerEpoch: number;
  readonly #options: Required<BatchPlanOptions>;
  #cached: { key: string; batches: number[][] } | undefined;

  constructor(options: BatchPlanOptions) {
    this.#options = { windowBatches: 32, ...options };
    this.batchesPerEpoch = Math.ceil(options.lengths.length / options.batchSize);
  }

  /** Example indices of one batch. */
  batch(epoch: number, index: number): readonly number[] {
    const { windowBatches } = this.#options;
    const window = Math.floor(index / windowBatches);
    const key = `${epoch} ${window}`;
    if (this.#cached?.key !== key) this.#cached = { key, batches: this.#window(epoch, window) };
    const batch = this.#cached.batches[index - window * windowBatches];
    if (batch === undefined) {
      throw new RangeError(`batch ${index} is outside an epoch of ${this.batchesPerEpoch}`);
    }
    return batch;
  }

  #window(epoch: number, window: number): number[][] {
    const { lengths, batchSize, stream, windowBatches } = this.#options;
    const order = random.epochOrder(lengths.length, stream, epoch);
    const start = window * windowBatches * batchSize;
    const end = Math.min(lengths.length, start + windowBatches * batchSize);
    const members: number[] = [];
    for (let place = start; place < end; place++) members.push(order.at(place));
    // Array.sort is stable, so equal lengths keep their random order.
    if (windowBatches > 1) members.sort((a, b) => lengths[a]! - lengths[b]!);
    const batches: number[][] = [];
    for (let at = 0; at < members.length; at += batchSize) batches.push(members.slice(at, at + batchSize));
    const shuffle = random.epochOrder(batches.length, stream.child('window'), epoch * 1_000_003 + window);
    return batches.map((_, i) => batches[shuffle.at(i)]!);
  }
}
