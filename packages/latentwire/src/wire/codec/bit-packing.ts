/** Codes of a few bits, packed without gaps: value after value, low bits first, from the low end of each byte. */

/** Bytes of `count` codes. */
export function packedBytes(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/** @param bits 1 to 32; unused high bits of the last byte are 0 */
export function packBits(codes: Uint32Array, bits: number): Uint8Array {
  const packed = new Uint8Array(packedBytes(codes.length, bits));
  let at = 0;
  for (const code of codes) {
    for (let left = bits, rest = code; left > 0; ) {
      const free = 8 - (at & 7);
      const take = Math.min(free, left);
      packed[at >> 3]! |= (rest & ((1 << take) - 1)) << (at & 7);
      rest >>>= take;
      left -= take;
      at += take;
    }
  }
  return packed;
}

export function unpackBits(packed: Uint8Array, bits: number, count: number): Uint32Array {
  const codes = new Uint32Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    let code = 0;
    for (let done = 0; done < bits; ) {
      const take = Math.min(8 - (at & 7), bits - done);
      code |= ((packed[at >> 3]! >> (at & 7)) & ((1 << take) - 1)) << done;
      done += take;
      at += take;
    }
    codes[i] = code;
  }
  return codes;
}
