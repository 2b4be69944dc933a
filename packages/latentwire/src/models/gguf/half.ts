/**
 * 16-bit floats to and from 32-bit ones. Reading goes through a table of all 65,536 halves (256 kB, built
 * on first use): one load per value, exact for subnormals, infinities and NaN.
 *
 * Source: IEEE 754-2008 binary16.
 */

let table: Float32Array | undefined;

/** float32 value of each binary16 bit pattern, indexed by the pattern. */
export function halfTable(): Float32Array {
  if (table !== undefined) return table;
  table = new Float32Array(1 << 16);
  for (let bits = 0; bits < 1 << 16; bits++) table[bits] = halfToFloat(bits);
  return table;
}

function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const scratch = new DataView(new ArrayBuffer(4));

/** Bit pattern of the binary16 nearest to `value` (ties to even), as NumPy's `astype(float16)` gives. */
export function floatToHalf(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds to 65536 or more: infinity
  if (magnitude < 0x38800000) {
    // Subnormal half: units of 2^-24. The product is exact in double, Math.round is not ties-to-even.
    return sign | roundHalfEven(Math.abs(Math.fround(value)) * 2 ** 24);
  }
  const rebased = magnitude - 0x38000000; // exponent bias 127 -> 15
  const kept = rebased >>> 13;
  const rest = rebased & 0x1fff;
  const up = rest > 0x1000 || (rest === 0x1000 && (kept & 1) === 1) ? 1 : 0;
  return sign | (kept + up);
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && (below & 1) === 1) ? below + 1 : below;
}
