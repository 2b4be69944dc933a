/**
 * How many vectors a message has and who reads which. With n readers, P private vectors each and S shared ones, a
 * message is
 *
 *     [private of reader 0 | … | private of reader n−1 | shared]        M = n·P + S vectors
 *
 * and reader k is shown [its private | shared], P + S vectors. S is fixed, or one per `ratio` encoder tokens of the
 * text (rounded up). The shared part comes last so that the real vectors of a row are always its first ones: texts of
 * one batch may have different S, and rows are padded at the end.
 */
import { LatentWireError } from '../errors.js';

/** A number of vectors for every row, or one per row. */
export type LatentCounts = number | ArrayLike<number>;

export interface LatentLayoutOptions {
  /** S of a text when no ratio is set, and the resolution of learned slot tables; at least 1. */
  readonly slots: number;
  /** Encoder tokens per shared vector; null = S is `slots` for every text. */
  readonly ratio: number | null;
  /** P */
  readonly privateLen: number;
  readonly readers: number;
}

export class LatentLayout {
  readonly slots: number;
  readonly ratio: number | null;
  readonly privateLen: number;
  readonly readers: number;

  constructor(options: LatentLayoutOptions) {
    this.slots = options.slots;
    this.ratio = options.ratio;
    this.privateLen = options.privateLen;
    this.readers = options.readers;
    if (options.slots < 1) {
      throw new LatentWireError(
        `expected at least one shared latent, got ${options.slots}: M minus ${options.privateLen} private latents for each of ${options.readers} models`,
        {
          code: 'input',
          hint: 'raise --latent-len, lower --latent-private-len, or give --latent-shared-len',
        },
      );
    }
  }

  /**
   * S of each text.
   * @param lengths encoder tokens per text
   * @param expansion times as many vectors as the finished wire has (training begins with more)
   */
  shared(lengths: ArrayLike<number>, expansion = 1): Int32Array {
    return Int32Array.from(lengths, (n) => {
      const vectors =
        this.ratio === null
          ? Math.round(this.slots * expansion)
          : // Rounding errors do not make a vector.
            Math.ceil((n * expansion) / this.ratio - 1e-9);
      return Math.max(1, vectors);
    });
  }

  /** P + S: vectors that stand for each text in a reader's input. */
  seen(shared: ArrayLike<number>): Int32Array {
    return Int32Array.from(shared, (s) => this.privateLen + s);
  }

  /** n·P + S: vectors of each text's message. */
  sent(shared: ArrayLike<number>): Int32Array {
    return Int32Array.from(shared, (s) => this.readers * this.privateLen + s);
  }

  /** Expansion at which a text of `tokens` encoder tokens has about one vector per token; at least 1. */
  fullExpansion(tokens: number): number {
    return Math.max(1, this.ratio ?? tokens / this.slots);
  }
}

/** The count when all rows have the same, else null. */
export function uniformCount(counts: LatentCounts): number | null {
  if (typeof counts === 'number') return counts;
  const first = counts[0] ?? 0;
  for (let i = 1; i < counts.length; i++) if (counts[i] !== first) return null;
  return first;
}

export function largestCount(counts: LatentCounts): number {
  return typeof counts === 'number' ? counts : Array.from(counts).reduce((a, b) => Math.max(a, b), 0);
}

export function countOf(counts: LatentCounts, row: number): number {
  return typeof counts === 'number' ? counts : counts[row]!;
}
