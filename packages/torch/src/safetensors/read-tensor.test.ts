import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as t from '../index.js';
import { native } from '../native.js';
import { openSafetensors, readHeader, readTensor } from './open.js';
import { writeSafetensors } from './write.js';

let folder: string;
let path: string;
const values = Float32Array.from({ length: 300_007 }, (_, i) => Math.sin(i));

const same = (read: t.Tensor): boolean => Buffer.compare(read.toBytes(), new Uint8Array(values.buffer)) === 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'safetensors-read-'));
  path = join(folder, 'a.safetensors');
  const first = { dtype: 'uint8', shape: [3], data: Uint8Array.of(1, 2, 3) } as const;
  writeSafetensors(path, { first, x: { dtype: 'float32', shape: [values.length], data: values } });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a tensor read by several threads', () => {
  it.each([
    [1, 1 << 22],
    [3, 4096],
    [8, 65_537],
  ])('has the bytes of the file, with %i threads and pieces of %i bytes', (threads, pieceBytes) => {
    t.scope(() => {
      const mapping = native.mapOpen(path);
      const info = readHeader(path).tensors.get('x')!;
      const read = readTensor(mapping, info, 'cpu', { threads, pieceBytes });
      expect(same(read)).toBe(true);
      native.mapClose(mapping);
      expect(same(read)).toBe(true);
    });
  });

  it('tells when the file became shorter, and leaves no tensor behind', () => {
    const mapping = native.mapOpen(path);
    const info = readHeader(path).tensors.get('x')!;
    truncateSync(path, info.byteOffset + 1000);
    const before = t.liveTensors();
    expect(() => readTensor(mapping, info, 'cpu', { threads: 2, pieceBytes: 4096 })).toThrow(
      /became shorter/,
    );
    expect(t.liveTensors()).toBe(before);
    native.mapClose(mapping);
  });

  it.skipIf(!t.cudaIsAvailable())(
    'is the same on a GPU, also converted, from a file opened again and again',
    () => {
      t.scope(() => {
        for (let i = 0; i < 3; i++) {
          using file = openSafetensors(path);
          expect(same(file.load('x', { device: 'cuda' }))).toBe(true);
          const half = file.load('x', { device: 'cuda', dtype: 'bfloat16' });
          const expected = t.tensor([...values.slice(0, 100)]).to({ dtype: 'bfloat16' });
          expect(t.narrow(half, 0, 0, 100).toFloat32Array()).toEqual(expected.toFloat32Array());
        }
      });
    },
  );
});
