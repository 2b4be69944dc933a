/**
 * Steps of groups in one byte: an unsigned float with 4 exponent and 4 fraction bits,
 *
 *   e = 0:  f · 2^-15      e ≥ 1:  (16 + f) · 2^(e − 16)      byte = 16 e + f
 *
 * from 3·10^-5 to 15.5, rounded up, so that no value of the group is clipped. A step is then 3 % too wide on average;
 * the second byte of a half would cost more than it gives (8 bits for 32 values, against 0.04 bits per value).
 *
 * `ceilScale` finds the step by float32 operations that a tensor library has as well (quantiser.ts does the same on
 * tensors, and a test compares them bit for bit); reading its byte off is exact.
 */

/** The smallest step above 0. */
export const SCALE_UNIT = 2 ** -15;
/** Below this, steps are multiples of the unit. */
export const SCALE_NORMAL = 2 ** -11;
export const SCALE_MAX = 15.5;
/** x · SPLIT − (x · SPLIT − x) rounds x to 5 significant bits (Veltkamp's splitting). */
export const SPLIT = 2 ** 19 + 1;
/** Carries a 5-bit number past half of its next step and not past the half after, whatever its fraction. */
export const NEXT = 1 + 3 / 64;

/** The smallest step ≥ x that a byte can hold, at most 15.5. @param x float32, ≥ 0 */
export function ceilScale(x: number): number {
  if (x < SCALE_NORMAL) return Math.ceil(x / SCALE_UNIT) * SCALE_UNIT;
  if (x >= SCALE_MAX) return SCALE_MAX;
  const nearest = roundTo5Bits(x);
  return nearest < x ? roundTo5Bits(Math.fround(nearest * NEXT)) : nearest;
}

/** Byte of a step that `ceilScale` gave. */
export function scaleToByte(scale: number): number {
  const units = scale / SCALE_UNIT;
  if (units < 16) return units;
  const exponent = Math.floor(Math.log2(units)) - 4;
  return 16 * (exponent + 1) + (units / 2 ** exponent - 16);
}

export function byteToScale(byte: number): number {
  const exponent = byte >> 4;
  const fraction = byte & 15;
  return exponent === 0 ? fraction * SCALE_UNIT : (16 + fraction) * 2 ** (exponent - 16);
}

function roundTo5Bits(x: number): number {
  const c = Math.fround(x * SPLIT);
  return Math.fround(c - Math.fround(c - x));
}
