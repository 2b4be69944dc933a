import * as fs from 'node:fs';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DType, dtypeBytes, dtypes } from '../dtype.js';
import { add_, arange, reshape, tensor, transpose, zeros } from '../ops/index.js';
import { liveTensors, scope } from '../scope.js';
import { SafetensorsError } from './error.js';
import { openSafetensors } from './open.js';
import type { FileOperations } from './replace-file.js';
import { type RawTensor, writeSafetensors } from './write.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
  path = join(folder, 'a.safetensors');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const golden = new URL('./golden/reference.safetensors', import.meta.url).pathname;
const float = (...values: number[]): RawTensor => ({
  dtype: 'float32',
  shape: [values.length],
  data: Float32Array.from(values),
});

function caught(action: () => unknown): SafetensorsError {
  try {
    action();
  } catch (error) {
    if (error instanceof SafetensorsError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Tensors of any dtype and shape with arbitrary bytes, under any names. */
const anyTensors = fc.dictionary(
  fc.string({ unit: 'binary' }).filter((name) => name !== '__metadata__'),
  fc
    .record({
      dtype: fc.constantFrom(...dtypes),
      shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    })
    .chain(({ dtype, shape }) => {
      const bytes = shape.reduce((product, size) => product * size, dtypeBytes(dtype));
      const byte = dtype === 'bool' ? fc.integer({ min: 0, max: 1 }) : fc.integer({ min: 0, max: 255 });
      return fc
        .array(byte, { minLength: bytes, maxLength: bytes })
        .map((data): RawTensor => ({ dtype, shape, data: Uint8Array.from(data) }));
    }),
  { maxKeys: 6 },
);
const anyMetadata = fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), {
  maxKeys: 4,
});

describe('writeSafetensors', () => {
  it('gives back every name, dtype, shape, byte and metadata pair, with and without digest', () => {
    fc.assert(
      fc.property(anyTensors, anyMetadata, fc.boolean(), (tensors, metadata, digest) => {
        scope(() => {
          writeSafetensors(path, tensors, { metadata, digest });
          using file = openSafetensors(path);
          if (digest) file.verifyDigest();
          const { file_sha256: _, ...rest } = file.metadata as Record<string, string>;
          expect(digest ? rest : file.metadata).toEqual(metadata);
          expect([...file.names].sort()).toEqual(Object.keys(tensors).sort());
          for (const [name, raw] of Object.entries(tensors)) {
            const loaded = file.load(name);
            expect([loaded.dtype, loaded.shape]).toEqual([raw.dtype, raw.shape]);
            expect(loaded.toBytes()).toEqual(raw.data);
          }
        });
      }),
      { numRuns: 100 },
    );
  });

  it('writes the bytes of the reference library, from tensors or raw memory, in any order', () => {
    scope(() => {
      using file = openSafetensors(golden);
      const tensors = file.names.map((name) => [name, file.load(name)] as const);
      writeSafetensors(path, tensors, { metadata: file.metadata });
      expect(readFileSync(path).equals(readFileSync(golden))).toBe(true);
      const raw = tensors.map(([name, t]): [string, RawTensor] => [
        name,
        { dtype: t.dtype, shape: t.shape, data: t.toBytes() },
      ]);
      writeSafetensors(path, new Map(raw.reverse()), { metadata: file.metadata });
      expect(readFileSync(path).equals(readFileSync(golden))).toBe(true);
    });
  });

  it('writes views, gradient-carrying and large tensors, each once, chunk by chunk', () => {
    scope(() => {
      const big = reshape(arange(0, 2_500_000), [2500, 1000]); // 20 MB: two chunks
      const weight = tensor([
        [1, 2],
        [3, 4],
      ]).setRequiresGrad();
      const before = liveTensors();
      writeSafetensors(path, { big: transpose(big, 0, 1), weight, column: transpose(weight, 0, 1) });
      expect(liveTensors()).toBe(before + 2); // the two views made here
      using file = openSafetensors(path);
      expect(file.info('big').shape).toEqual([1000, 2500]);
      const loaded = file.load('big');
      expect(Buffer.from(loaded.toBytes()).equals(Buffer.from(transpose(big, 0, 1).toBytes()))).toBe(true);
      expect(file.load('column').tolist()).toEqual([
        [1, 3],
        [2, 4],
      ]);
      expect(file.load('weight').requiresGrad).toBe(false);
    });
  });

  it('replaces a file whose tensors are in use: they keep their values', () => {
    scope(() => {
      writeSafetensors(path, { a: float(1, 2) });
      using file = openSafetensors(path);
      const a = file.load('a');
      writeSafetensors(path, { a: float(7, 8, 9) });
      expect(a.toArray()).toEqual([1, 2]);
      using again = openSafetensors(path);
      expect(again.load('a').toArray()).toEqual([7, 8, 9]);
    });
  });

  it('names what the format cannot hold, before touching the old file', () => {
    writeSafetensors(path, { a: float(1) });
    const old = readFileSync(path);
    const refuse = (action: () => unknown, message: RegExp) => {
      const error = caught(action);
      expect(error.message).toMatch(message);
      expect(error.file).toBe(path);
      expect(readFileSync(path).equals(old)).toBe(true);
    };
    refuse(() => writeSafetensors(path, { __metadata__: float(1) }), /reserved word/);
    refuse(
      () =>
        writeSafetensors(path, [
          ['a', float(1)],
          ['a', float(2)],
        ]),
      /'a' twice/,
    );
    refuse(
      () =>
        writeSafetensors(path, [
          ['a', float(1)],
          ['b', float(1)],
          ['a', { ...float(2), dtype: 'int32' }],
        ]),
      /'a' twice/,
    );
    refuse(() => writeSafetensors(path, { '\ud800': float(1) }), /lone surrogate/);
    refuse(
      () => writeSafetensors(path, {}, { metadata: { n: 1 as unknown as string } }),
      /'n' to be a string, got number/,
    );
    refuse(
      () => writeSafetensors(path, { a: { ...float(1, 2), shape: [3] } }),
      /tensor 'a': data: expected 12 bytes .* got 8/,
    );
    refuse(
      () => writeSafetensors(path, { a: { ...float(1), shape: [-1, -1] } }),
      /tensor 'a': shape: expected whole numbers ≥ 0, got \[-1,-1\]/,
    );
  });

  it('says why the operating system refused, and keeps the old file', () => {
    writeSafetensors(path, { a: float(1) });
    const old = readFileSync(path);
    const operations: FileOperations = {
      ...fs,
      fsyncSync: () => {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      },
    };
    const error = caught(() => writeSafetensors(path, { a: float(2) }, { operations }));
    expect(error.message).toBe(
      `${path}: cannot write: no space left on the device (ENOSPC); free some space and save again`,
    );
    expect(readFileSync(path).equals(old)).toBe(true);
    expect(caught(() => writeSafetensors(join(folder, 'none', 'a'), {})).message).toMatch(
      /no such file or folder/,
    );
  });

  it('does not replace the old file when the new one reads back differently', () => {
    writeSafetensors(path, { a: float(1) });
    const old = readFileSync(path);
    // A device that silently damages one byte of the payload.
    const operations: FileOperations = {
      ...fs,
      writeSync: (fd, bytes, offset, length, position) => {
        const damaged = Buffer.from(bytes);
        if (length === 4) damaged[offset]! ^= 1;
        return writeSync(fd, damaged, offset, length, position);
      },
    };
    const error = caught(() => writeSafetensors(path, { a: float(2) }, { operations, digest: true }));
    expect(error.field).toBe('__metadata__.file_sha256');
    expect(readFileSync(path).equals(old)).toBe(true);
  });
});

describe('openSafetensors', () => {
  it('reads what the reference library wrote, whatever the element type', () => {
    scope(() => {
      using file = openSafetensors(golden);
      expect(file.metadata).toEqual({ format: 'pt "é"' });
      const types: DType[] = [
        'float64',
        'float32',
        'float16',
        'bfloat16',
        'int64',
        'int32',
        'int16',
        'int8',
        'uint8',
        'bool',
      ];
      types.forEach((dtype, i) => {
        const loaded = file.load(`layer.${9 - i}.weight`);
        expect([loaded.dtype, loaded.shape]).toEqual([dtype, [3, 5]]);
        const values = Array.from({ length: 15 }, (_, k) => (dtype === 'bool' ? Number(k + i > 0) : k + i));
        expect(loaded.toArray()).toEqual(values);
      });
      expect(file.load('scalar').item()).toBe(1.5);
      expect(file.load('scalar').shape).toEqual([]);
      expect(file.load('empty').shape).toEqual([0, 3]);
      expect(file.load('quote"\\\n\u0001é漢\u{1f600}').toArray()).toEqual([2, 3]);
    });
  });

  it('converts while loading and frees what it made on the way', () => {
    scope(() => {
      writeSafetensors(path, { a: float(1.5, -2.25) });
      using file = openSafetensors(path);
      const before = liveTensors();
      const half = file.load('a', { dtype: 'bfloat16' });
      expect(half.dtype).toBe('bfloat16');
      expect(half.toArray()).toEqual([1.5, -2.25]);
      expect(liveTensors()).toBe(before + 1);
    });
  });

  it('maps instead of copying: loading 256 MB costs no memory until it is read', () => {
    const header = Buffer.from('{"a":{"dtype":"F32","shape":[67108864],"data_offsets":[0,268435456]}}   ');
    const fd = openSync(path, 'w');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeSync(fd, Buffer.concat([length, header]));
    writeSync(fd, Buffer.from([0, 0, 128, 63]), 0, 4, 8 + header.length + 268435452); // 1.0 at the end
    closeSync(fd);
    scope(() => {
      using file = openSafetensors(path);
      const before = process.memoryUsage().rss;
      const a = file.load('a');
      expect(process.memoryUsage().rss - before).toBeLessThan(32e6);
      expect(a.shape).toEqual([67108864]);
    });
  });

  it('gives tensors that outlive the file and never write to it', () => {
    scope(() => {
      writeSafetensors(path, { a: float(1, 2), b: float(3) });
      const bytes = readFileSync(path);
      const file = openSafetensors(path);
      const a = file.load('a');
      file.close();
      file.close();
      expect(caught(() => file.load('b')).message).toMatch(/expected an open file/);
      expect(a.toArray()).toEqual([1, 2]);
      add_(a, 1);
      expect(a.toArray()).toEqual([2, 3]);
      expect(readFileSync(path).equals(bytes)).toBe(true);
    });
  });

  it('keeps what was written to a view when the same tensor is loaded again with conversion', () => {
    scope(() => {
      writeSafetensors(path, { a: zeros([10_000]) });
      using file = openSafetensors(path);
      const a = file.load('a');
      add_(a, 1);
      file.load('a', { dtype: 'float64' });
      expect(new Set(a.toArray())).toEqual(new Set([1]));
    });
  });

  it('loads tensors that an unpadded header leaves unaligned', () => {
    const json = '{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}  ';
    expect((8 + json.length) % 8).not.toBe(0);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(
      path,
      Buffer.concat([length, Buffer.from(json), Buffer.from(Float64Array.of(1, 2).buffer)]),
    );
    scope(() => {
      using file = openSafetensors(path);
      expect(file.load('a').toArray()).toEqual([1, 2]);
    });
  });

  it('names the nearest tensor for a wrong name, and the reason for a file it cannot open', () => {
    writeSafetensors(path, { 'model.layers.0.mlp.weight': float(1), 'lm_head.weight': float(1) });
    using file = openSafetensors(path);
    expect(file.has('x')).toBe(false);
    expect(caught(() => file.load('model.layer.0.mlp.weight'))).toMatchObject({
      message: `${path}: tensor 'model.layer.0.mlp.weight': no such tensor among 2; the nearest name is 'model.layers.0.mlp.weight'`,
      tensor: 'model.layer.0.mlp.weight',
    });
    expect(caught(() => file.info('zzz')).message).toMatch(/no such tensor among 2$/);
    expect(caught(() => openSafetensors(join(folder, 'none'))).message).toMatch(
      /cannot read: no such file or folder/,
    );
    expect(caught(() => openSafetensors(folder)).message).toMatch(/cannot read: it is a folder/);
    expect(existsSync(path)).toBe(true);
  });

  it('says that a file has no digest', () => {
    writeSafetensors(path, { a: zeros([1]) });
    using file = openSafetensors(path);
    expect(caught(() => file.verifyDigest()).message).toMatch(/the file has no digest/);
  });
});
