/** The teacher's distributions for a list of examples, in memory: what distillation reads in each step. */
import { roundUpCoarsely } from '../../wire/index.js';
import type { TeacherDistributions } from '../distillation-loss.js';

/** Which distributions are kept of a teacher. */
export interface TeacherPlan {
  /** K: the first targets of each answer that have a distribution. */
  readonly positions: number;
  /** Most likely tokens stored per position. */
  readonly topK: number;
  /** τ, the temperature of the stored distributions. */
  readonly tau: number;
}

/** Distributions of the rows of one batch, and the targets of the batch that they belong to. */
export interface TeacherBatch extends TeacherDistributions {
  /** Index into the batch's targets, ascending; one per row of `ids`. */
  readonly targets: Int32Array;
  /** Rows that are no padding; they come first. */
  readonly rows: number;
}

/** What a forward pass gives and a shard holds: flat arrays of n examples. Slots beyond an example's count are 0. */
export interface TeacherValues {
  /** [n] slots that an example uses: K, or the length of a shorter answer */
  readonly counts: Int32Array;
  /** [n · K · k] */
  readonly ids: Int32Array;
  /** [n · K · (k + 1)], rounded to float16 */
  readonly logProbs: Float32Array;
}

export interface TeacherArrays extends TeacherValues {
  /** [n · K] which target of its answer a slot belongs to, ascending */
  readonly places: Int32Array;
}

export class TeacherTargets {
  constructor(
    readonly plan: TeacherPlan,
    readonly arrays: TeacherArrays,
  ) {}

  /** Positions of one example. */
  count(example: number): number {
    return this.arrays.counts[example]!;
  }

  /**
   * Share of all positions whose most likely token is the gold one: what the teacher knows when it reads the text.
   * @param golds targets of each example
   */
  agreement(golds: readonly Int32Array[]): number {
    let right = 0;
    let all = 0;
    golds.forEach((gold, example) => {
      for (let p = 0; p < this.count(example); p++) {
        all++;
        if (this.#says(example, p, gold)) right++;
      }
    });
    return right / Math.max(1, all);
  }

  /**
   * The same without the positions whose most likely token is not the gold one. A model that was not trained for the task
   * begins its answers in its own way ("The …"): distilling that would fight the cross-entropy of the gold answer.
   * @param golds targets of each example
   */
  whereRight(golds: readonly Int32Array[]): TeacherTargets {
    const { positions, topK } = this.plan;
    const kept = emptyArrays(golds.length, this.plan);
    golds.forEach((gold, example) => {
      for (let slot = 0; slot < this.count(example); slot++) {
        if (!this.#says(example, slot, gold)) continue;
        const from = example * positions + slot;
        const to = example * positions + kept.counts[example]!++;
        kept.places[to] = this.arrays.places[from]!;
        kept.ids.set(this.arrays.ids.subarray(from * topK, (from + 1) * topK), to * topK);
        const values = this.arrays.logProbs.subarray(from * (topK + 1), (from + 1) * (topK + 1));
        kept.logProbs.set(values, to * (topK + 1));
      }
    });
    return new TeacherTargets(this.plan, kept);
  }

  #says(example: number, slot: number, gold: Int32Array): boolean {
    const at = example * this.plan.positions + slot;
    return this.arrays.ids[at * this.plan.topK] === gold[this.arrays.places[at]!];
  }

  /**
   * Rows of a batch in the order of its targets.
   * @param examples index of the example in each row of the batch
   * @param targetRows row of each target, ascending, as `compose` gives it
   * @param multiple of the rows, padding included
   */
  batch(examples: readonly number[], targetRows: Int32Array, multiple = 1): TeacherBatch {
    const { topK, tau, positions } = this.plan;
    const { ids, logProbs, places } = this.arrays;
    const total = examples.reduce((sum, example) => sum + this.count(example), 0);
    const rows = roundUpCoarsely(total, multiple);
    const targets = new Int32Array(rows);
    const batchIds = new Int32Array(rows * topK);
    const batchLogProbs = new Float32Array(rows * (topK + 1));
    let at = 0;
    let start = 0;
    examples.forEach((example, row) => {
      const count = this.count(example);
      const from = example * positions;
      batchIds.set(ids.subarray(from * topK, (from + count) * topK), at * topK);
      batchLogProbs.set(logProbs.subarray(from * (topK + 1), (from + count) * (topK + 1)), at * (topK + 1));
      for (let slot = 0; slot < count; slot++) targets[at + slot] = start + places[from + slot]!;
      at += count;
      while (targetRows[start] === row) start++;
    });
    return { tau, topK, ids: batchIds, logProbs: batchLogProbs, targets, rows: total };
  }
}

/** Arrays of n examples without any position. */
export function emptyArrays(rows: number, { positions, topK }: TeacherPlan): TeacherArrays {
  return {
    counts: new Int32Array(rows),
    places: new Int32Array(rows * positions),
    ids: new Int32Array(rows * positions * topK),
    logProbs: new Float32Array(rows * positions * (topK + 1)),
  };
}
