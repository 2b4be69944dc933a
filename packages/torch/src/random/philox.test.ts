import { describe, expect, it } from 'vitest';
import { philox4x32 } from './philox.js';

function words(counter: readonly number[], key: readonly number[]): string {
  const out = new Uint32Array(4);
  philox4x32(counter[0]!, counter[1]!, counter[2]!, counter[3]!, key[0]!, key[1]!, out);
  return Array.from(out, (word) => word.toString(16).padStart(8, '0')).join(' ');
}

describe('philox4x32', () => {
  // Known-answer vectors of Random123 1.14 (tests/kat_vectors, lines "philox4x32 10").
  it('equals the published vectors for zero, all-ones and pi counters', () => {
    expect(words([0, 0, 0, 0], [0, 0])).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    const ones = 0xffffffff;
    expect(words([ones, ones, ones, ones], [ones, ones])).toBe('408f276d 41c83b0e a20bc7c6 6d5451fd');
    expect(words([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toBe(
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    );
  });

  it('equals a big-integer evaluation of the definition on random inputs', () => {
    const random = new Uint32Array(6);
    for (let trial = 0; trial < 500; trial++) {
      philox4x32(trial, 1, 2, 3, 4, 5, random.subarray(0, 4));
      philox4x32(trial, 7, 7, 7, 7, 7, random.subarray(2, 6));
      const [a, b, c, d, k, l] = random as unknown as [number, number, number, number, number, number];
      expect(words([a, b, c, d], [k, l])).toBe(reference([a, b, c, d], [k, l]));
    }
  });

  it('changes about half of the output bits when one input bit changes', () => {
    const base = new Uint32Array(4);
    const flipped = new Uint32Array(4);
    let changed = 0;
    philox4x32(1, 2, 3, 4, 5, 6, base);
    for (let bit = 0; bit < 128; bit++) {
      const counter = [1, 2, 3, 4];
      counter[bit >> 5]! ^= 1 << (bit & 31);
      philox4x32(counter[0]!, counter[1]!, counter[2]!, counter[3]!, 5, 6, flipped);
      for (let i = 0; i < 4; i++) changed += popcount(base[i]! ^ flipped[i]!);
    }
    expect(changed / (128 * 128)).toBeGreaterThan(0.48);
    expect(changed / (128 * 128)).toBeLessThan(0.52);
  });
});

function reference(counter: readonly number[], key: readonly number[]): string {
  const mask = 0xffffffffn;
  let [x0, x1, x2, x3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * x0;
    const p1 = 0xcd9e8d57n * x2;
    [x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & mask, (p0 >> 32n) ^ x3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [x0, x1, x2, x3].map((word) => word.toString(16).padStart(8, '0')).join(' ');
}

function popcount(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest &= rest - 1) count++;
  return count;
}
