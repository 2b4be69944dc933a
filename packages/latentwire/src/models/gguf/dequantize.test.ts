import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DEQUANTIZERS } from './dequantize.js';
import { type GgmlTypeName, ggmlType } from './ggml-types.js';
import golden from './golden/dequantize.json' with { type: 'json' };
import { floatToHalf, halfTable } from './half.js';
import { readGguf } from './header.js';
import { readGgufTensor } from './tensor-data.js';
import { typed, writeGguf } from './writer.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-dequantize-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Same stream as in golden/make_dequantize_golden.py. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

function sha256(array: Uint8Array | Uint16Array | Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex');
}

const HALF_FIELDS: Record<string, number[]> = {
  F32: [],
  BF16: [],
  Q6_K: [208],
  Q4_1: [0, 2],
  Q5_1: [0, 2],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
};

function blocksOf(name: GgmlTypeName): { data: Uint8Array; blocks: number } {
  const { id, blockSize, blockBytes } = ggmlType(name);
  const blocks = golden.blocks * (blockSize > 1 ? 1 : 32);
  const draw = mulberry32(id);
  const data = Uint8Array.from({ length: blocks * blockBytes }, () => draw() >>> 24);
  for (const at of HALF_FIELDS[name] ?? [0]) {
    for (let block = 0; block < blocks; block++) data[block * blockBytes + at + 1]! &= 0xbf;
  }
  return { data, blocks };
}

describe('dequantisation', () => {
  it.each(Object.keys(golden.types) as GgmlTypeName[])('%s equals the gguf package bit for bit', (name) => {
    const expected = golden.types[name as keyof typeof golden.types];
    const { data, blocks } = blocksOf(name);
    expect(sha256(data)).toBe(expected.input);
    const out = new Float32Array(blocks * ggmlType(name).blockSize);
    DEQUANTIZERS[name]!(data, blocks, out, 0);
    if (expected.first !== null) expect(Array.from(out.subarray(0, 4))).toEqual(expected.first);
    expect(sha256(out)).toBe(expected.output);
  });

  it('covers every type that has a dequantiser', () => {
    expect(Object.keys(golden.types).sort()).toEqual(Object.keys(DEQUANTIZERS).sort());
  });

  it('writes only the slice it was given', () => {
    const { data } = blocksOf('Q4_K');
    const whole = new Float32Array(4 * 256);
    DEQUANTIZERS.Q4_K!(data, 4, whole, 0);
    const out = new Float32Array(4 * 256).fill(7);
    DEQUANTIZERS.Q4_K!(data.subarray(144), 2, out, 256);
    expect(out.subarray(0, 256).every((value) => value === 7)).toBe(true);
    expect(out.subarray(256, 768)).toEqual(whole.subarray(256, 768));
    expect(out.subarray(768).every((value) => value === 7)).toBe(true);
  });
});

describe('binary16', () => {
  it('reads every finite and infinite pattern as NumPy does', () => {
    expect(sha256(halfTable().filter((value) => !Number.isNaN(value)))).toBe(golden.halves);
  });

  it('rounds to the nearest half, ties to even, as NumPy does', () => {
    const draw = mulberry32(99);
    const bits = Uint32Array.from({ length: 20_000 }, draw);
    const edges = [65504, 65519.996, 65520, 1e-8, 2 ** -25, 2 ** -24 * 1.5, 6.1e-5, 2049, 2051, 0, -0];
    const floats = [...new Float32Array(bits.buffer), ...Float32Array.from(edges)];
    const halves = floats.filter((value) => !Number.isNaN(value)).map(floatToHalf);
    expect(sha256(Uint16Array.from(halves))).toBe(golden.toHalf);
  });
});

describe('reading tensors of a file', () => {
  const draw = mulberry32(7);
  const weights = Float32Array.from({ length: 64 * 32 }, () => draw() / 2 ** 31 - 1);
  const file = path.join(folder, 'weights.gguf');
  writeGguf(file, {
    metadata: { 'general.architecture': typed('string', 'llama') },
    tensors: {
      a: { shape: [64, 32], type: 'F32', data: weights },
      b: { shape: [64, 32], type: 'F16', data: weights },
      c: { shape: [64, 32], type: 'Q8_0', data: weights },
    },
  });
  const gguf = readGguf(file);

  it('returns F32 weights unchanged', () => {
    expect(readGgufTensor(gguf, 'a')).toEqual(weights);
  });

  it('keeps F16 within half rounding and Q8_0 within half a step', () => {
    const half = readGgufTensor(gguf, 'b');
    const eight = readGgufTensor(gguf, 'c');
    weights.forEach((value, i) => {
      expect(Math.abs(half[i]! - value)).toBeLessThanOrEqual(2 ** -11);
      expect(Math.abs(eight[i]! - value)).toBeLessThanOrEqual(1 / 254 + 1e-3);
    });
  });

  it('quantises Q8_0 as the gguf package does', () => {
    const { offset, bytes } = gguf.tensors.get('c')!;
    expect(sha256(fs.readFileSync(file).subarray(offset, offset + bytes))).toBe(golden.quantizeQ8_0);
  });

  it('reads a range of rows into a slice of the caller', () => {
    const out = new Float32Array(128).fill(-9);
    readGgufTensor(gguf, 'c', { start: 5 * 32, count: 64, out: out.subarray(32) });
    const whole = readGgufTensor(gguf, 'c');
    expect(out.subarray(32, 96)).toEqual(whole.subarray(5 * 32, 7 * 32));
    expect(out[31]).toBe(-9);
    expect(out[96]).toBe(-9);
  });

  it('refuses ranges that split a block or leave the tensor', () => {
    expect(() => readGgufTensor(gguf, 'c', { start: 3, count: 32 })).toThrow(/whole blocks of 32/);
    expect(() => readGgufTensor(gguf, 'c', { start: 63 * 32, count: 64 })).toThrow(/got 2016\.\.2080/);
    expect(() => readGgufTensor(gguf, 'c', { out: new Float32Array(5) })).toThrow(
      /room for 2048 floats, got 5/,
    );
  });

  it('names the nearest tensor when a name is unknown', () => {
    expect(() => readGgufTensor(gguf, 'd')).toThrow(/weights\.gguf: expected a tensor 'd', got none/);
  });

  it('refuses to read when the file changed after its header was read', () => {
    const copy = path.join(folder, 'copy.gguf');
    fs.copyFileSync(file, copy);
    const header = readGguf(copy);
    fs.truncateSync(copy, header.fileBytes - 64);
    expect(() => readGgufTensor(header, 'c')).toThrow(/changed while in use/);
  });
});
