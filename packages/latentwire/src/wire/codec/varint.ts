/** Unsigned LEB128 of at most 3 bytes (21 bits): 7 bits per byte, low ones first, the high bit says "more". */

export const VARINT_MAX = 2 ** 21 - 1;

export function varintBytes(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : 3;
}

/** Appends `value` to `out`. */
export function writeVarint(out: number[], value: number): void {
  let rest = value;
  for (; rest > 127; rest >>>= 7) out.push((rest & 127) | 128);
  out.push(rest);
}

/** The number at `offset` and the offset after it; null when it is cut off, too long, or has needless bytes. */
export function readVarint(bytes: Uint8Array, offset: number): { value: number; next: number } | null {
  let value = 0;
  for (let i = 0; i < 3; i++) {
    const byte = bytes[offset + i];
    if (byte === undefined) return null;
    value |= (byte & 127) << (7 * i);
    if (byte < 128) return byte === 0 && i > 0 ? null : { value, next: offset + i + 1 };
  }
  return null;
}
