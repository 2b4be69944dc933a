/** Seeded damage to files, for tests that demand an error or an unchanged result and nothing else. */

export function seededRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

export interface Mutation {
  readonly name: string;
  readonly bytes: Buffer;
}

/** `count` files cut short at random places. */
export function truncations(whole: Buffer, count: number, seed: number): Mutation[] {
  const draw = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const length = draw(whole.length);
    return { name: `cut to ${length} bytes`, bytes: whole.subarray(0, length) };
  });
}

/** `count` files with one byte of [start, end) changed. */
export function byteFlips(
  whole: Buffer,
  start: number,
  end: number,
  count: number,
  seed: number,
): Mutation[] {
  const draw = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const at = start + draw(end - start);
    const mask = 1 + draw(255);
    const bytes = Buffer.from(whole);
    bytes[at]! ^= mask;
    return { name: `byte ${at} xor ${mask}`, bytes };
  });
}

/** `count` files with eight bytes of [start, end) replaced by a huge number: corrupt counts and lengths. */
export function hugeNumbers(
  whole: Buffer,
  start: number,
  end: number,
  count: number,
  seed: number,
): Mutation[] {
  const draw = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const at = start + draw(end - start - 8);
    const bytes = Buffer.from(whole);
    const value = [2n ** 63n, 2n ** 32n - 1n, 2n ** 31n, 2n ** 40n + 7n][draw(4)]!;
    bytes.writeBigUInt64LE(value, at);
    return { name: `${value} at ${at}`, bytes };
  });
}
