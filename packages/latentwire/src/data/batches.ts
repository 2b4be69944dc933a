/**
 * Which examples form batch i of epoch e: a function of (seed, epoch, index), nothing else, so that resume needs no
 * replay. Examples come in a keyed random order; within a window of some batches they are sorted by length, so that a
 * batch holds texts of like length and little padding, and the window's batches are shuffled again. Questions on one
 * text may be kept together, so that the text is encoded once for all of them.
 */
import { random } from '@latentwire/torch';

export interface BatchPlanOptions {
  /** Length of each example in tokens. */
  readonly lengths: ArrayLike<number>;
  readonly batchSize: number;
  readonly stream: random.RandomStream;
  /** Batches that are sorted by length together; 1 = no sorting. */
  readonly windowBatches?: number;
  /** Group of each example: those of one group follow each other, mostly in one batch. Default: each is alone. */
  readonly groups?: ArrayLike<number> | undefined;
}

/** The examples of an epoch in their random order. */
interface Order {
  at(place: number): number;
}

export class BatchPlan {
  /** Batches in one epoch; the last one of an epoch may be short. */
  readonly batchesPerEpoch: number;
  readonly #options: BatchPlanOptions & { windowBatches: number };
  /** Examples of each group; null when each example is alone. */
  readonly #groups: readonly (readonly number[])[] | null;
  #cached: { key: string; batches: number[][] } | undefined;
  #order: { epoch: number; order: Order } | undefined;

  constructor(options: BatchPlanOptions) {
    this.#options = { windowBatches: 32, ...options };
    this.#groups = options.groups === undefined ? null : members(options.groups);
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

  #orderOf(epoch: number): Order {
    const { lengths, stream } = this.#options;
    if (this.#groups === null) return random.epochOrder(lengths.length, stream, epoch);
    if (this.#order?.epoch !== epoch) {
      const groups = this.#groups;
      const mixed = random.epochOrder(groups.length, stream, epoch);
      const examples = Int32Array.from(groups.flatMap((_, i) => groups[mixed.at(i)]!));
      this.#order = { epoch, order: { at: (place) => examples[place]! } };
    }
    return this.#order.order;
  }

  #window(epoch: number, window: number): number[][] {
    const { lengths, batchSize, stream, windowBatches } = this.#options;
    const order = this.#orderOf(epoch);
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

/** Examples of each group, groups in the order of their first example. */
function members(groups: ArrayLike<number>): number[][] {
  const byGroup = new Map<number, number[]>();
  for (let i = 0; i < groups.length; i++) {
    const group = byGroup.get(groups[i]!);
    if (group === undefined) byGroup.set(groups[i]!, [i]);
    else group.push(i);
  }
  return [...byGroup.values()];
}
