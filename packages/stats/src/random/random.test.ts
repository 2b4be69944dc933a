/** Protects the published outputs of both generators and the independence of streams. */
import { describe, expect, it } from 'vitest';
import { nextBelow, nextUniform, nextWord, Purpose, philox, seedStream } from './index.js';

const hex = (words: Int32Array): string[] =>
  [...words].map((word) => (word >>> 0).toString(16).padStart(8, '0'));

describe('Philox4x32-10', () => {
  it('gives the known answers of the Random123 distribution', () => {
    const out = new Int32Array(4);
    philox(out, 0, 0, 0, 0, 0, 0);
    expect(hex(out)).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']);
    philox(out, -1, -1, -1, -1, -1, -1);
    expect(hex(out)).toEqual(['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd']);
    philox(out, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0);
    expect(hex(out)).toEqual(['d16cfe09', '94fdcceb', '5001e420', '24126ea1']);
  });
});

describe('xoshiro128++', () => {
  it('gives the outputs of the authors’ reference code from state 1, 2, 3, 4', () => {
    // As printed by xoshiro128plusplus.c; the same vector is in the tests of Rust's rand_xoshiro.
    const reference = [
      641, 1573767, 3222811527, 3517856514, 836907274, 4247214768, 3867114732, 1355841295, 495546011,
      621204420,
    ];
    const state = Int32Array.of(1, 2, 3, 4);
    expect(reference.map(() => nextWord(state) >>> 0)).toEqual(reference);
  });
});

describe('streams', () => {
  const words = (seed: number, purpose: Purpose, index: number): number[] => {
    const state = new Int32Array(4);
    seedStream(state, seed, purpose, index);
    return [nextWord(state), nextWord(state)];
  };

  it('depend on seed, purpose and index, also beyond 32 bits', () => {
    const seen = new Set<string>();
    for (const seed of [0, 1, -1, 2 ** 32, 2 ** 40 + 1]) {
      for (const purpose of [Purpose.bootstrap, Purpose.permutation]) {
        for (const index of [0, 1, 2 ** 32, 2 ** 33]) seen.add(words(seed, purpose, index).join());
      }
    }
    expect(seen.size).toBe(5 * 2 * 4);
    expect(words(7, Purpose.bootstrap, 3)).toEqual(words(7, Purpose.bootstrap, 3));
  });

  it('bounded integers are uniform', () => {
    const state = new Int32Array(4);
    seedStream(state, 5, Purpose.simulation, 0);
    const counts = new Array<number>(7).fill(0);
    const draws = 70_000;
    for (let i = 0; i < draws; i++) counts[nextBelow(state, 7)]!++;
    const expected = draws / 7;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(22.5); // 99.9 % point of χ² with 6 degrees of freedom
    const mean = Array.from({ length: 10_000 }, () => nextUniform(state)).reduce((a, b) => a + b) / 10_000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.012);
  });
});
