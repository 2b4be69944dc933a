/**
 * Named random streams under one seed. Element i of a stream is a pure function of (seed, name, i): asking
 * for it needs no earlier element, so a resumed run stores one number per stream instead of generator state,
 * and two streams never disturb each other however many numbers either one uses.
 *
 * The identity of a stream is SHA-256 of the seed and the name: 64 bits become the Philox key, 63 bits fill
 * the upper counter words. The remaining bit separates 32-bit words from pairs, so `uint32At(i)` shares no
 * random bits with `uniformAt(i)`.
 *
 * Integers and uniforms are exact everywhere; normals go through Math.log, sin and cos, which agree between
 * machines running the same V8.
 */
import { createHash } from 'node:crypto';
import { TorchError } from '../error.js';
import { philox4x32 } from './philox.js';

const DOMAIN = 'latentwire.random.v1';
const TWO_32 = 2 ** 32;

/** What a cursor needs to go on exactly where it stopped; plain JSON. */
export interface RandomState {
  /** Decimal digits of the root seed. */
  readonly seed: string;
  readonly stream: string;
  /** Number of elements already drawn. */
  readonly position: number;
}

/** The one seed of a run. Equal seeds give equal streams on every machine. */
export class RandomRoot {
  /** Decimal digits of the seed. */
  readonly seed: string;

  /** @param seed an integer ≥ 0; a `number` must be a safe integer, a `bigint` may have any size */
  constructor(seed: number | bigint) {
    if (typeof seed === 'number' ? !Number.isSafeInteger(seed) || seed < 0 : seed < 0n) {
      throw new TorchError(
        `random seed: expected an integer between 0 and 2^53 - 1, or a bigint ≥ 0, got ${seed}`,
      );
    }
    this.seed = String(seed);
  }

  /** The stream of that name, e.g. `root.stream('data-order')`. Equal names give the same stream. */
  stream(name: string): RandomStream {
    return new RandomStream(this.seed, name);
  }
}

/** An endless, indexable sequence of random numbers. Immutable; made by {@link RandomRoot.stream}. */
export class RandomStream {
  readonly seed: string;
  readonly name: string;
  /** The Philox key, for functions that build on Philox directly. */
  readonly key: readonly [number, number];
  readonly #tweak: number;
  readonly #tweakAndView: number;
  readonly #block = new Uint32Array(4);

  /** Use {@link RandomRoot.stream}. */
  constructor(seed: string, name: string) {
    this.seed = seed;
    this.name = name;
    const digest = createHash('sha256').update(`${DOMAIN}\0${seed}\0${name}`, 'utf8').digest();
    this.key = [digest.readUInt32LE(0), digest.readUInt32LE(4)];
    this.#tweak = digest.readUInt32LE(8);
    this.#tweakAndView = digest.readUInt32LE(12) & ~1;
  }

  /** A stream of this stream: `stream.child('layer-3')` is `root.stream('<name>/layer-3')`. */
  child(name: string): RandomStream {
    return new RandomStream(this.seed, `${this.name}/${name}`);
  }

  /** Element i as an integer, uniform in [0, 2^32). */
  uint32At(i: number): number {
    checkIndex(i);
    this.#generate(Math.floor(i / 4), 0);
    return this.#block[i % 4]!;
  }

  /** Element i as a 64-bit integer, e.g. to seed a libtorch generator for step i. */
  uint64At(i: number): bigint {
    checkIndex(i);
    this.#generate(Math.floor(i / 2), 1);
    const pair = (i % 2) * 2;
    return (BigInt(this.#block[pair]!) << 32n) | BigInt(this.#block[pair + 1]!);
  }

  /** Element i, uniform in [0, 1) with 53 random bits. */
  uniformAt(i: number): number {
    checkIndex(i);
    this.#generate(Math.floor(i / 2), 1);
    return this.#uniform((i % 2) * 2);
  }

  /** Element i as an integer, uniform in [0, bound); the bias is below bound / 2^53. */
  integerAt(i: number, bound: number): number {
    if (!Number.isSafeInteger(bound) || bound < 1) {
      throw new TorchError(`integerAt: expected bound to be an integer ≥ 1, got ${bound}`);
    }
    // The product may round up to `bound` for bounds near 2^53.
    return Math.min(bound - 1, Math.floor(this.uniformAt(i) * bound));
  }

  /**
   * Element i of a standard normal sequence, by the transform of Box and Muller (1958): elements 2k and
   * 2k + 1 are the cosine and the sine branch of one pair of uniforms.
   */
  normalAt(i: number): number {
    checkIndex(i);
    this.#generate(Math.floor(i / 2), 1);
    return this.#normal(i % 2);
  }

  /** `out[j] = uniformAt(offset + j)` cut to the 24 bits that float32 holds in [0, 1), so never 1. */
  fillUniform(out: Float32Array, offset = 0): void {
    checkIndex(offset);
    for (let j = 0; j < out.length; j++) {
      const i = offset + j;
      if (j === 0 || i % 2 === 0) this.#generate(Math.floor(i / 2), 1);
      out[j] = (this.#block[(i % 2) * 2]! >>> 8) * 2 ** -24;
    }
  }

  /** `out[j] = normalAt(offset + j)`, rounded to float32. */
  fillNormal(out: Float32Array, offset = 0): void {
    checkIndex(offset);
    for (let j = 0; j < out.length; j++) {
      const i = offset + j;
      if (j === 0 || i % 2 === 0) this.#generate(Math.floor(i / 2), 1);
      out[j] = this.#normal(i % 2);
    }
  }

  /** A counter over this stream that draws element after element, starting at `position`. */
  cursor(position = 0): RandomCursor {
    return new RandomCursor(this, position);
  }

  /** Fills the block that holds counter `index` of the given view (0: four words, 1: two pairs). */
  #generate(index: number, view: 0 | 1): void {
    const high = Math.floor(index / TWO_32);
    const [k0, k1] = this.key;
    philox4x32(index | 0, high, this.#tweak, this.#tweakAndView | view, k0, k1, this.#block);
  }

  /** Words `pair` and `pair + 1` of the current block as 53 bits in [0, 1). */
  #uniform(pair: number): number {
    return (this.#block[pair]! * 2 ** 21 + (this.#block[pair + 1]! >>> 11)) * 2 ** -53;
  }

  /** The cosine (0) or sine (1) branch for the pair of uniforms in the current block. */
  #normal(branch: number): number {
    // 1 - u is in (0, 1], so the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.#uniform(0)));
    const angle = 2 * Math.PI * this.#uniform(2);
    return radius * (branch === 0 ? Math.cos(angle) : Math.sin(angle));
  }
}

/**
 * The only object here with state: a position in a stream. Every draw of any kind uses up one position, so
 * `state()` is exact after any mixture of draws.
 */
export class RandomCursor {
  readonly stream: RandomStream;
  #position: number;

  constructor(stream: RandomStream, position = 0) {
    checkIndex(position);
    this.stream = stream;
    this.#position = position;
  }

  /** Number of elements drawn so far. */
  get position(): number {
    return this.#position;
  }

  nextUint32(): number {
    return this.stream.uint32At(this.#position++);
  }

  nextUint64(): bigint {
    return this.stream.uint64At(this.#position++);
  }

  nextUniform(): number {
    return this.stream.uniformAt(this.#position++);
  }

  /** Uniform in [0, bound). */
  nextInteger(bound: number): number {
    return this.stream.integerAt(this.#position++, bound);
  }

  nextNormal(): number {
    return this.stream.normalAt(this.#position++);
  }

  state(): RandomState {
    return { seed: this.stream.seed, stream: this.stream.name, position: this.#position };
  }

  /** Goes on from a saved state. Throws when the state belongs to another seed or stream. */
  restore(state: RandomState): void {
    if (state.seed !== this.stream.seed || state.stream !== this.stream.name) {
      throw new TorchError(
        `random state: expected stream '${this.stream.name}' of seed ${this.stream.seed}, ` +
          `got stream '${state.stream}' of seed ${state.seed}`,
      );
    }
    checkIndex(state.position);
    this.#position = state.position;
  }
}

function checkIndex(i: number): void {
  if (!Number.isSafeInteger(i) || i < 0) {
    throw new TorchError(`random stream: expected an index between 0 and 2^53 - 1, got ${i}`);
  }
}
