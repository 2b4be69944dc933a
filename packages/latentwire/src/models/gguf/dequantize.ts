/**
 * ggml blocks -> float32. One tight loop per type; `Dequantize` reads `blocks` blocks from `source` and
 * writes `blocks * blockSize` floats from `out[outStart]` on.
 *
 * Every intermediate product here is exact in float32 (11-bit scale times at most 7 and 5 bits) and the one
 * inexact addition is rounded once on store, so results equal ggml's float32 arithmetic bit for bit.
 *
 * Source: block layouts and formulas of ggml (ggml-common.h, ggml-quants.c `dequantize_row_*`).
 */
import type { GgmlTypeName } from './ggml-types.js';
import { halfTable } from './half.js';

export type Dequantize = (source: Uint8Array, blocks: number, out: Float32Array, outStart: number) => void;

const f32: Dequantize = (source, blocks, out, outStart) => {
  // Bytes are little-endian in the file and on every machine Node and libtorch run on together.
  new Uint8Array(out.buffer, out.byteOffset + 4 * outStart, 4 * blocks).set(source.subarray(0, 4 * blocks));
};

const f16: Dequantize = (source, blocks, out, outStart) => {
  const half = halfTable();
  for (let i = 0, s = 0; i < blocks; i++, s += 2)
    out[outStart + i] = half[source[s]! | (source[s + 1]! << 8)]!;
};

const bf16: Dequantize = (source, blocks, out, outStart) => {
  const bits = new Uint32Array(out.buffer, out.byteOffset + 4 * outStart, blocks);
  for (let i = 0, s = 0; i < blocks; i++, s += 2) bits[i] = (source[s]! << 16) | (source[s + 1]! << 24);
};

/** x = d * q, q: 32 signed bytes. */
const q8_0: Dequantize = (source, blocks, out, outStart) => {
  const half = halfTable();
  const signed = new Int8Array(source.buffer, source.byteOffset, source.byteLength);
  let o = outStart;
  for (let block = 0, s = 0; block < blocks; block++, s += 34) {
    const d = half[source[s]! | (source[s + 1]! << 8)]!;
    for (let q = s + 2; q < s + 34; q++) out[o++] = d * signed[q]!;
  }
};

/** x = d * (q - 8), q: 16 bytes, low nibbles are weights 0..15, high nibbles 16..31. */
const q4_0: Dequantize = (source, blocks, out, outStart) => {
  const half = halfTable();
  for (let block = 0, s = 0, o = outStart; block < blocks; block++, s += 18, o += 32) {
    const d = half[source[s]! | (source[s + 1]! << 8)]!;
    for (let j = 0; j < 16; j++) {
      const byte = source[s + 2 + j]!;
      out[o + j] = d * ((byte & 15) - 8);
      out[o + 16 + j] = d * ((byte >> 4) - 8);
    }
  }
};

/** x = d * q + m. */
const q4_1: Dequantize = (source, blocks, out, outStart) => {
  const half = halfTable();
  for (let block = 0, s = 0, o = outStart; block < blocks; block++, s += 20, o += 32) {
    const d = half[source[s]! | (source[s + 1]! << 8)]!;
    const m = half[source[s + 2]! | (source[s + 3]! << 8)]!;
    for (let j = 0; j < 16; j++) {
      const byte = source[s + 4 + j]!;
      out[o + j] = d * (byte & 15) + m;
      out[o + 16 + j] = d * (byte >> 4) + m;
    }
  }
};

/** As Q4_0 with a fifth bit per weight in a 32-bit plane: x = d * (q - 16). */
const q5_0: Dequantize = (source, blocks, out, outStart) => {
  const half = halfTable();
  for (let block = 0, s = 0, o = outStart; block < blocks; block++, s += 22, o += 32) {
    const d = half[source[s]! | (source[s + 1]! << 8)]!;
    const high = plane(source, s + 2);
    for (let j = 0; j < 16; j++) {
      const byte = source[s + 6 + j]!;
      out[o + j] = d * (((byte & 15) | (((high >>> j) & 1) << 4)) - 16);
      out[o + 16 + j] = d * (((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16);
    }
  }
};

/** As Q4_1 with a fifth bit per weight: x = d * q + m. */
const q5_1: Dequantize = (source, blocks, out, outStart) => {
  const half = halfTable();
  for (let block = 0, s = 0, o = outStart; block < blocks; block++, s += 24, o += 32) {
    const d = half[source[s]! | (source[s + 1]! << 8)]!;
    const m = half[source[s + 2]! | (source[s + 3]! << 8)]!;
    const high = plane(source, s + 4);
    for (let j = 0; j < 16; j++) {
      const byte = source[s + 8 + j]!;
      out[o + j] = d * ((byte & 15) | (((high >>> j) & 1) << 4)) + m;
      out[o + 16 + j] = d * ((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) + m;
    }
  }
};

function plane(source: Uint8Array, at: number): number {
  return source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24);
}

/**
 * Scales and minimums of the 8 groups of a Q4_K or Q5_K block: 6 bits each, packed in 12 bytes.
 * Groups 0..3: low 6 bits of bytes j and j+4. Groups 4..7: a nibble of byte j+4 (j counted from 4) with the
 * two top bits of the byte that holds group j-4.
 */
function unpackScales(source: Uint8Array, at: number, scales: Uint8Array, minimums: Uint8Array): void {
  for (let j = 0; j < 4; j++) {
    const a = source[at + j]!;
    const b = source[at + 4 + j]!;
    const c = source[at + 8 + j]!;
    scales[j] = a & 63;
    minimums[j] = b & 63;
    scales[j + 4] = (c & 15) | ((a >> 6) << 4);
    minimums[j + 4] = (c >> 4) | ((b >> 6) << 4);
  }
}

/** 8 groups of 32: x = d * scale * q - dmin * minimum; 32 bytes hold two groups, low nibbles first. */
const q4_k: Dequantize = (source, blocks, out, outStart) => {
  const half = halfTable();
  const scales = new Uint8Array(8);
  const minimums = new Uint8Array(8);
  for (let block = 0, s = 0, o = outStart; block < blocks; block++, s += 144) {
    const d = half[source[s]! | (source[s + 1]! << 8)]!;
    const dmin = half[source[s + 2]! | (source[s + 3]! << 8)]!;
    unpackScales(source, s + 4, scales, minimums);
    for (let pair = 0; pair < 4; pair++, o += 64) {
      const d1 = d * scales[2 * pair]!;
      const m1 = dmin * minimums[2 * pair]!;
      const d2 = d * scales[2 * pair + 1]!;
      const m2 = dmin * minimums[2 * pair + 1]!;
      const q = s + 16 + 32 * pair;
      for (let j = 0; j < 32; j++) {
        const byte = source[q + j]!;
        out[o + j] = d1 * (byte & 15) - m1;
        out[o + 32 + j] = d2 * (byte >> 4) - m2;
      }
    }
  }
};

/** As Q4_K with a fifth bit: bit g of high byte j belongs to weight j of group g. */
const q5_k: Dequantize = (source, blocks, out, outStart) => {
  const half = halfTable();
  const scales = new Uint8Array(8);
  const minimums = new Uint8Array(8);
  for (let block = 0, s = 0, o = outStart; block < blocks; block++, s += 176) {
    const d = half[source[s]! | (source[s + 1]! << 8)]!;
    const dmin = half[source[s + 2]! | (source[s + 3]! << 8)]!;
    unpackScales(source, s + 4, scales, minimums);
    for (let pair = 0; pair < 4; pair++, o += 64) {
      const d1 = d * scales[2 * pair]!;
      const m1 = dmin * minimums[2 * pair]!;
      const d2 = d * scales[2 * pair + 1]!;
      const m2 = dmin * minimums[2 * pair + 1]!;
      const q = s + 48 + 32 * pair;
      for (let j = 0; j < 32; j++) {
        const byte = source[q + j]!;
        const high = source[s + 16 + j]! >> (2 * pair);
        out[o + j] = d1 * ((byte & 15) | ((high & 1) << 4)) - m1;
        out[o + 32 + j] = d2 * ((byte >> 4) | ((high & 2) << 3)) - m2;
      }
    }
  }
};

/**
 * 16 groups of 16: x = d * scale * (q - 32), scale signed. Each half block of 128 weights has 64 bytes of low
 * nibbles and 32 bytes of high bit pairs; lanes l, l+32, l+64, l+96 share one byte of pairs.
 */
const q6_k: Dequantize = (source, blocks, out, outStart) => {
  const half = halfTable();
  const signed = new Int8Array(source.buffer, source.byteOffset, source.byteLength);
  for (let block = 0, s = 0, o = outStart; block < blocks; block++, s += 210) {
    const d = half[source[s + 208]! | (source[s + 209]! << 8)]!;
    for (let part = 0; part < 2; part++, o += 128) {
      const low = s + 64 * part;
      const high = s + 128 + 32 * part;
      const scale = s + 192 + 8 * part;
      for (let l = 0; l < 32; l++) {
        const group = scale + (l >> 4);
        const pairs = source[high + l]!;
        const a = source[low + l]!;
        const b = source[low + 32 + l]!;
        out[o + l] = d * signed[group]! * (((a & 15) | ((pairs & 3) << 4)) - 32);
        out[o + 32 + l] = d * signed[group + 2]! * (((b & 15) | ((pairs & 12) << 2)) - 32);
        out[o + 64 + l] = d * signed[group + 4]! * (((a >> 4) | (pairs & 48)) - 32);
        out[o + 96 + l] = d * signed[group + 6]! * (((b >> 4) | ((pairs & 192) >> 2)) - 32);
      }
    }
  }
};

export const DEQUANTIZERS: Readonly<Partial<Record<GgmlTypeName, Dequantize>>> = {
  F32: f32,
  F16: f16,
  BF16: bf16,
  Q8_0: q8_0,
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q4_K: q4_k,
  Q5_K: q5_k,
  Q6_K: q6_k,
};
