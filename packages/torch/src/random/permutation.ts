/**
 * A random permutation of [0, n) that is computed, not stored: where element i goes costs O(1) time and no
 * memory, for n up to 2^53. Data order rests on it: sample i of epoch e is known without replaying anything.
 *
 * Construction: a Feistel network over the smallest power of two ≥ n (Luby & Rackoff 1988: a Feistel network
 * is a bijection whatever its round functions are, and looks random when they do), with Philox4x32-10 as
 * round function; results outside [0, n) are fed back in until they land inside ("cycle walking", Black &
 * Rogaway, CT-RSA 2002), fewer than 2 passes on average.
 */
import { TorchError } from '../error.js';
import { philox4x32 } from './philox.js';
import { RandomRoot, type RandomStream } from './streams.js';

const ROUNDS = 8;
/** Few bits make a poor Feistel network; small n walk inside 2^8 values instead, at most 256 / n passes. */
const MIN_BITS = 8;

/** 64 bits as two 32-bit words. */
export type PermutationKey = readonly [number, number];

/** A keyed bijection of [0, n). Immutable. */
export class KeyedPermutation {
  readonly size: number;
  readonly #key: PermutationKey;
  /** Sizes of the two halves, as powers of two; they swap places every round. */
  readonly #highSize: number;
  readonly #lowSize: number;
  readonly #block = new Uint32Array(4);

  /**
   * @param n number of elements, 0 ≤ n < 2^53
   * @param key equal keys and sizes give equal permutations; other sizes give unrelated ones
   */
  constructor(n: number, key: PermutationKey) {
    if (!Number.isSafeInteger(n) || n < 0) {
      throw new TorchError(`permutation: expected n between 0 and 2^53 - 1, got ${n}`);
    }
    this.size = n;
    this.#key = key;
    let bits = MIN_BITS;
    while (2 ** bits < n) bits++;
    this.#highSize = 2 ** Math.floor(bits / 2);
    this.#lowSize = 2 ** Math.ceil(bits / 2);
  }

  /** The element at position i. */
  at(i: number): number {
    this.#check(i);
    let value = this.#encrypt(i);
    while (value >= this.size) value = this.#encrypt(value);
    return value;
  }

  /** The position of element j: `indexOf(at(i)) === i`. */
  indexOf(j: number): number {
    this.#check(j);
    let value = this.#decrypt(j);
    while (value >= this.size) value = this.#decrypt(value);
    return value;
  }

  /** One pass: (high, low) → (low, high ⊕ F(low)), each half keeping its own width. */
  #encrypt(value: number): number {
    let leftSize = this.#highSize;
    let rightSize = this.#lowSize;
    let left = Math.floor(value / rightSize);
    let right = value % rightSize;
    for (let round = 0; round < ROUNDS; round++) {
      const mixed = (left ^ this.#round(right, round)) & (leftSize - 1);
      left = right;
      right = mixed;
      [leftSize, rightSize] = [rightSize, leftSize];
    }
    return left * rightSize + right;
  }

  #decrypt(value: number): number {
    // ROUNDS is even, so the halves are back at their first widths.
    let leftSize = this.#highSize;
    let rightSize = this.#lowSize;
    let left = Math.floor(value / rightSize);
    let right = value % rightSize;
    for (let round = ROUNDS - 1; round >= 0; round--) {
      [leftSize, rightSize] = [rightSize, leftSize];
      const unmixed = (right ^ this.#round(left, round)) & (leftSize - 1);
      right = left;
      left = unmixed;
    }
    return left * rightSize + right;
  }

  /** Halves have at most 27 bits, so one 32-bit word is enough. */
  #round(half: number, round: number): number {
    const sizeHigh = Math.floor(this.size / 2 ** 32);
    philox4x32(half, round, this.size | 0, sizeHigh, this.#key[0], this.#key[1], this.#block);
    return this.#block[0]!;
  }

  #check(i: number): void {
    if (!Number.isSafeInteger(i) || i < 0 || i >= this.size) {
      throw new TorchError(`permutation of ${this.size}: expected an index in [0, ${this.size}), got ${i}`);
    }
  }
}

/** The element at position i of the permutation of [0, n) under `key`; see {@link KeyedPermutation}. */
export function permute(i: number, n: number, key: PermutationKey): number {
  return new KeyedPermutation(n, key).at(i);
}

/**
 * The order of n samples in one epoch: `epochOrder(n, seed, epoch).at(i)` is the i-th sample to visit.
 *
 * @param source the seed of the run (its stream 'data-order' is used) or a stream of your own
 * @param epoch counted from 0; every epoch has its own, unrelated order
 */
export function epochOrder(
  n: number,
  source: number | bigint | RandomStream,
  epoch: number,
): KeyedPermutation {
  const stream = typeof source === 'object' ? source : new RandomRoot(source).stream('data-order');
  const key = stream.uint64At(epoch);
  return new KeyedPermutation(n, [Number(key >> 32n), Number(key & 0xffffffffn)]);
}
