/**
 * How a wire's numbers are rounded: bits per value, and where the step sizes come from.
 *
 *   32      float32 as is                     16   IEEE half
 *   1 … 8   2^b equal cells, values in their middle (mid-rise: no code is wasted, and one bit gives 2 levels):
 *           value = (code + ½) · step, code in −2^(b−1) … 2^(b−1) − 1
 *     group > 0   each run of `group` values of a vector has its own step, one byte in the message (scale-byte.ts);
 *                 nothing clips
 *     group = 0   one step for all, known to both sides: the best one for normally distributed values of variance 1,
 *                 which is what an RMS-normalised latent looks like. No scales are sent; larger values clip.
 *
 * Every step has so few significant bits that code · step is exact in float32: the sender, the receiver and the
 * training step compute the same numbers on any device.
 */
import { LatentWireError } from '../../errors.js';

/** Bits per value that a message can have, in the order of their number in its header. */
export const PRECISIONS = [1, 2, 3, 4, 5, 6, 7, 8, 16, 32] as const;
export type Bits = (typeof PRECISIONS)[number];

export interface Quantisation {
  readonly bits: Bits;
  /** Values of a vector that share a step; 0: one fixed step. Always 0 for 16 and 32 bits. */
  readonly group: number;
}

/** Longest run of values with one step. */
export const MAX_GROUP = 65_535;

/**
 * Steps that minimise the mean squared error of a uniform quantiser with 2^b levels on N(0, 1) (J. Max, "Quantizing
 * for minimum distortion", 1960), rounded to multiples of 2^-11 so that products are exact.
 */
const FIXED_STEP: Readonly<Record<number, number>> = {
  1: 3268 / 2048,
  2: 2039 / 2048,
  3: 1200 / 2048,
  4: 686 / 2048,
  5: 385 / 2048,
  6: 213 / 2048,
  7: 116 / 2048,
  8: 63 / 2048,
};

/** @throws LatentWireError `input` for bits or groups that no message can have */
export function quantisation(bits: number, group: number): Quantisation {
  if (!isBits(bits)) {
    throw new LatentWireError(`expected wire bits of 1 to 8, 16 or 32, got ${bits}`, {
      code: 'input',
      hint: 'for example --wire-bits 4; 32 sends floats as they are',
    });
  }
  if (!Number.isInteger(group) || group < 0 || group > MAX_GROUP) {
    throw new LatentWireError(`expected a wire group of 0 to ${MAX_GROUP} values, got ${group}`, {
      code: 'input',
      hint: 'for example --wire-group 32; 0 sends no scales',
    });
  }
  return { bits, group: bits > 8 ? 0 : group };
}

export function isBits(bits: number): bits is Bits {
  return (PRECISIONS as readonly number[]).includes(bits);
}

/** Step of a wire without scales. @param bits 1 to 8 */
export function fixedStep(bits: number): number {
  return FIXED_STEP[bits]!;
}

/** Steps of each vector: one per started group. @param width d_z */
export function groupsPerVector(width: number, { group }: Quantisation): number {
  return group === 0 ? 0 : Math.ceil(width / group);
}
