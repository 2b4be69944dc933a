import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { LatentWireError } from '../../errors.js';
import { ggmlType } from './ggml-types.js';
import golden from './golden/smollm2.json' with { type: 'json' };
import { readGguf } from './header.js';
import { readGgufTensor } from './tensor-data.js';
import { encodeGguf, type GgufToWrite, typed } from './writer.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-gguf-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'model.gguf');

const SMOLLM2 = process.env.LATENTWIRE_SMOLLM2_GGUF;

function read(bytes: Uint8Array): ReturnType<typeof readGguf> {
  fs.writeFileSync(file, bytes);
  return readGguf(file);
}

function errorOf(action: () => unknown): LatentWireError {
  try {
    action();
  } catch (error) {
    return error as LatentWireError;
  }
  throw new Error('expected an error');
}

const SAMPLE: GgufToWrite = {
  metadata: {
    'general.architecture': typed('string', 'llama'),
    small: typed('uint8', 200),
    negative: typed('int64', -5),
    huge: typed('uint64', 2n ** 60n),
    ratio: typed('float32', 0.5),
    exact: typed('float64', 0.1),
    yes: typed('bool', true),
    words: typed('string', ['a', '\u4f60', '']),
    numbers: typed('int32', [1, -2, 3]),
    flags: typed('bool', [true, false]),
  },
  tensors: {
    one: { shape: [2, 3], type: 'F32', data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    two: { shape: [5], type: 'F16', data: Float32Array.of(0.5, 1, 2, 4, 8) },
    three: { shape: [2, 32], type: 'Q8_0', data: new Float32Array(64).fill(1) },
  },
};

describe('a GGUF header', () => {
  it.each([2, 3] as const)('of version %i is read as it was written', (version) => {
    const gguf = read(encodeGguf({ ...SAMPLE, version }));
    expect(gguf.version).toBe(version);
    expect(Object.fromEntries(gguf.metadata.entries)).toEqual({
      'general.architecture': 'llama',
      small: 200,
      negative: -5,
      huge: 2n ** 60n,
      ratio: 0.5,
      exact: 0.1,
      yes: true,
      words: ['a', '\u4f60', ''],
      numbers: [1, -2, 3],
      flags: [true, false],
    });
    expect([...gguf.tensors.values()].map(({ name, shape, type }) => [name, shape, type.name])).toEqual([
      ['one', [2, 3], 'F32'],
      ['two', [5], 'F16'],
      ['three', [2, 32], 'Q8_0'],
    ]);
    expect([...readGgufTensor(gguf, 'two')]).toEqual([0.5, 1, 2, 4, 8]);
  });

  it.each([1, 8, 64, 4096])('may align tensors to %i bytes', (alignment) => {
    const gguf = read(encodeGguf({ ...SAMPLE, alignment }));
    expect(gguf.alignment).toBe(alignment);
    for (const { offset } of gguf.tensors.values()) expect(offset % alignment).toBe(0);
    expect([...readGgufTensor(gguf, 'one')]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('may be longer than the window it is read through', () => {
    const tokens = Array.from({ length: 60_000 }, (_, i) => `token ${i} ${'x'.repeat(i % 50)}`);
    const long = 'y'.repeat(3_000_000);
    const gguf = read(
      encodeGguf({
        metadata: { long: typed('string', long), tokens: typed('string', tokens), last: typed('uint32', 7) },
      }),
    );
    expect(gguf.metadata.string('long')).toBe(long);
    expect(gguf.metadata.strings('tokens')).toEqual(tokens);
    expect(gguf.metadata.number('last')).toBe(7);
  });

  it('survives a round trip of any names, values and shapes', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 1 }), fc.oneof(fc.string(), fc.array(fc.string()))),
        fc.dictionary(
          fc.string({ minLength: 1 }),
          fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
        ),
        (texts, shapes) => {
          delete texts['general.alignment'];
          delete texts['split.count'];
          const metadata = Object.fromEntries(
            Object.entries(texts).map(([key, text]) => [key, typed('string', text)]),
          );
          const tensors = Object.fromEntries(
            Object.entries(shapes).map(([name, shape]) => {
              const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).map((_, i) => i);
              return [name, { shape, type: 'F32', data }] as const;
            }),
          );
          const gguf = read(encodeGguf({ metadata, tensors }));
          // Lone surrogates are no text: they come back as U+FFFD.
          const utf8 = (text: string) => Buffer.from(text).toString();
          const wellFormed = (value: string | string[]) =>
            Array.isArray(value) ? value.map(utf8) : utf8(value);
          for (const [key, text] of Object.entries(texts)) {
            expect(gguf.metadata.entries.get(key)).toEqual(wellFormed(text));
          }
          for (const [name, shape] of Object.entries(shapes)) {
            expect(gguf.tensors.get(name)!.shape).toEqual(shape);
            expect(readGgufTensor(gguf, name)).toEqual(tensors[name]!.data);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('metadata access', () => {
  const { metadata } = read(encodeGguf(SAMPLE));

  it.each([
    [() => metadata.string('small'), /metadata 'small': expected a string, got number 200/],
    [() => metadata.number('huge'), /metadata 'huge': expected a number, got bigint/],
    [() => metadata.integer('ratio', 0, 9), /metadata 'ratio': expected an integer in 0\.\.9, got 0\.5/],
    [
      () => metadata.strings('numbers'),
      /metadata 'numbers': expected an array of strings, got number 1 at index 0/,
    ],
    [() => metadata.optionalBoolean('words'), /metadata 'words': expected true or false, got an array of 3/],
  ])('names key and kind (%#)', (access, message) => {
    const error = errorOf(access);
    expect(error.code).toBe('format');
    expect(error.message).toMatch(message);
    expect(error.message.startsWith(file)).toBe(true);
  });

  it('suggests the nearest key for a missing one', () => {
    expect(errorOf(() => metadata.string('general.architectur')).hint).toMatch(/'general\.architecture'/);
    expect(metadata.optionalNumber('absent')).toBeUndefined();
  });
});

describe('a damaged file', () => {
  const whole = encodeGguf(SAMPLE);

  it.each([
    ['nothing', () => Buffer.alloc(0), /magic: expected 4 bytes at offset 0, got end of file/],
    ['another format', () => Buffer.from('PK\u0003\u0004 zip archive'), /magic: expected 'GGUF'/],
    ['version 1', () => withU32(whole, 4, 1), /version: expected 2 or 3, got 1/],
    ['big-endian', () => withU32(whole, 4, 0x03000000), /version: expected 2 or 3/],
    [
      'absurd tensor count',
      () => withU64(whole, 8, 2n ** 40n),
      /tensor count: expected at most \d+ .*got 1099511627776/,
    ],
    ['absurd metadata count', () => withU64(whole, 16, 2n ** 63n), /metadata count: expected at most/],
    [
      'absurd key length',
      () => withU64(whole, 24, 2n ** 62n),
      /length of key of metadata 0: expected at most/,
    ],
    [
      'missing tail',
      () => whole.subarray(0, whole.length - 64),
      /tensor 'three': expected 68 bytes at offset \d+, got end of file/,
    ],
    ['extra tail', () => Buffer.concat([whole, Buffer.alloc(100)]), /file size: expected at most \d+ bytes/],
  ])('(%s) is refused by name', (_, make, message) => {
    const error = errorOf(() => read(make()));
    expect(error.code).toBe('format');
    expect(error.message).toMatch(message);
  });

  it.each([
    [
      'duplicate keys',
      tensorless([...pair('k', 4, u32(1)), ...pair('k', 4, u32(2))], 2),
      /metadata 'k': expected one entry, got two/,
    ],
    [
      'unknown value type',
      tensorless(pair('k', 13, u32(1)), 1),
      /type of metadata 'k': expected a value type in 0\.\.12, got 13/,
    ],
    ['a bool of 2', tensorless(pair('k', 7, [2]), 1), /metadata 'k': expected a bool \(0 or 1\), got 2/],
    [
      'nested arrays without end',
      tensorless(
        pair(
          'k',
          9,
          Array(6)
            .fill([...u32(9), ...u64(1)])
            .flat(),
        ),
        1,
      ),
      /metadata 'k': expected arrays nested at most 4 deep/,
    ],
    [
      'alignment 48',
      encodeGguf({ ...SAMPLE, alignment: 48 }),
      /metadata 'general\.alignment': expected a power of two, got 48/,
    ],
    [
      'one part of several',
      encodeGguf({ metadata: { 'split.count': typed('uint16', 3) } }),
      /metadata 'split\.count': expected a file in one part, got part of 3/,
    ],
  ])('(%s) is refused by name', (_, bytes, message) => {
    expect(errorOf(() => read(bytes)).message).toMatch(message);
  });

  it('refuses tensor entries that cannot be', () => {
    const build = (...entries: number[][]) => tensorTable(entries, 400);
    const message = (...entries: number[][]) => errorOf(() => read(build(...entries))).message;
    expect(message(entry('t', [], 0, 0))).toMatch(/dimension count of tensor 't': expected 1\.\.4, got 0/);
    expect(message(entry('t', [1, 1, 1, 1, 1], 0, 0))).toMatch(
      /dimension count of tensor 't': expected 1\.\.4, got 5/,
    );
    expect(message(entry('t', [0], 0, 0))).toMatch(/dimension 0 of tensor 't': expected a positive extent/);
    expect(message(entry('t', [2 ** 30, 2 ** 30], 0, 0))).toMatch(/dimension 1 of tensor 't'/);
    expect(message(entry('t', [4], 4, 0))).toMatch(/type of tensor 't': expected a known ggml type, got 4/);
    expect(message(entry('t', [33], 8, 0))).toMatch(
      /row length of tensor 't': expected a multiple of 32 for Q8_0, got 33/,
    );
    expect(message(entry('t', [4], 0, 32))).toMatch(
      /offset of tensor 't': expected 0 \(right after the tensor before it\), got 32/,
    );
    expect(message(entry('t', [4], 0, 0), entry('t', [4], 0, 32))).toMatch(
      /tensor 't': expected one entry, got two/,
    );
    expect(message(entry('t', [4], 0, 0), entry('u', [4], 0, 16))).toMatch(
      /offset of tensor 'u': expected 32/,
    );
    expect(message(entry('', [4], 0, 0))).toMatch(/name of tensor 0: expected a name/);
  });

  it('names types it knows but cannot dequantise, when they are read', () => {
    const gguf = read(tensorTable([entry('t', [32, 2], ggmlType('IQ4_NL').id, 0)], 36));
    expect(gguf.tensors.get('t')!.bytes).toBe(36);
    expect(() => readGgufTensor(gguf, 't')).toThrow(/tensor 't': expected one of F32, .*, got IQ4_NL/);
  });

  it('says when there is no file', () => {
    const error = errorOf(() => readGguf(path.join(folder, 'absent.gguf')));
    expect(error.code).toBe('input');
    expect(error.message).toMatch(/absent\.gguf: expected a readable GGUF file, got ENOENT/);
    expect(errorOf(() => readGguf(folder)).message).toMatch(/expected a GGUF file, got a directory/);
  });
});

describe.skipIf(SMOLLM2 === undefined)('SmolLM2-135M-Instruct (set LATENTWIRE_SMOLLM2_GGUF)', () => {
  it('has the tensors the gguf package reads, value for value', () => {
    const gguf = readGguf(SMOLLM2!);
    expect(gguf.tensors.size).toBe(golden.count);
    for (const [name, { type, shape, sha256 }] of Object.entries(golden.tensors)) {
      const info = gguf.tensors.get(name)!;
      expect([info.type.name, info.shape]).toEqual([type, shape]);
      const values = readGgufTensor(gguf, name);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    }
  });
});

function withU32(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32LE(value, at);
  return copy;
}

function withU64(bytes: Buffer, at: number, value: bigint): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeBigUInt64LE(value, at);
  return copy;
}

function u32(value: number): number[] {
  return [...withU32(Buffer.alloc(4), 0, value)];
}

function u64(value: number): number[] {
  return [...withU64(Buffer.alloc(8), 0, BigInt(value))];
}

function string(text: string): number[] {
  return [...u64(text.length), ...Buffer.from(text)];
}

function pair(key: string, type: number, value: number[]): number[] {
  return [...string(key), ...u32(type), ...value];
}

/** A file of metadata only. */
function tensorless(pairs: number[], count: number): Buffer {
  return Buffer.from([...Buffer.from('GGUF'), ...u32(3), ...u64(0), ...u64(count), ...pairs]);
}

function entry(name: string, dims: number[], type: number, offset: number): number[] {
  return [...string(name), ...u32(dims.length), ...dims.flatMap(u64), ...u32(type), ...u64(offset)];
}

/** A file of tensors only, with so many bytes of data. */
function tensorTable(entries: number[][], dataBytes: number): Buffer {
  const head = [...Buffer.from('GGUF'), ...u32(3), ...u64(entries.length), ...u64(0), ...entries.flat()];
  return Buffer.concat([Buffer.from(head), Buffer.alloc(((32 - (head.length % 32)) % 32) + dataBytes)]);
}
