import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scope } from '../scope.js';
import { SafetensorsError } from './error.js';
import { INDEX_FILE, openSafetensorsIndex } from './open-index.js';
import { type RawTensor, writeSafetensors } from './write.js';

let folder: string;
let index: string;
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const MAP = { a: SHARDS[0], b: SHARDS[1], c: SHARDS[0] };

const float = (value: number): RawTensor => ({ dtype: 'float32', shape: [1], data: Float32Array.of(value) });
const writeIndex = (content: unknown) =>
  writeFileSync(index, typeof content === 'string' ? content : JSON.stringify(content));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'safetensors-index-'));
  index = join(folder, INDEX_FILE);
  writeSafetensors(join(folder, SHARDS[0]), { a: float(1), c: float(3), unlisted: float(9) });
  writeSafetensors(join(folder, SHARDS[1]), { b: float(2) });
  writeIndex({ metadata: { total_size: 12 }, weight_map: MAP });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function fault(): SafetensorsError {
  try {
    openSafetensorsIndex(folder).close();
  } catch (error) {
    if (error instanceof SafetensorsError) return error;
    throw error;
  }
  throw new Error('the index was accepted');
}

describe('openSafetensorsIndex', () => {
  it('serves the tensors of all shards as one source, from the folder or the index', () => {
    scope(() => {
      for (const path of [folder, index]) {
        using model = openSafetensorsIndex(path);
        expect([...model.names].sort()).toEqual(['a', 'b', 'c']);
        expect(model.names.map((name) => model.load(name).item()).sort()).toEqual([1, 2, 3]);
        expect(model.load('b', { dtype: 'float64' }).dtype).toBe('float64');
        expect(model.info('c').shape).toEqual([1]);
        expect(model.has('unlisted')).toBe(false);
        expect(model.shards).toEqual(SHARDS.map((name) => join(folder, name)));
        expect(model.metadata).toEqual({ total_size: '12' });
        expect(() => model.load('d')).toThrow(/no such tensor among 3/);
      }
    });
  });

  it('names a missing shard', () => {
    rmSync(join(folder, SHARDS[1]));
    expect(fault()).toMatchObject({
      file: index,
      tensor: 'b',
      field: 'weight_map',
      message: expect.stringMatching(/the shard model-00002-of-00002.safetensors is missing/),
    });
  });

  it('names the shard that lacks a tensor', () => {
    writeIndex({ weight_map: { ...MAP, b: SHARDS[0] } });
    expect(fault()).toMatchObject({
      file: index,
      tensor: 'b',
      message: expect.stringMatching(/expected the tensor in model-00001/),
    });
  });

  it('names the damaged shard itself', () => {
    writeFileSync(join(folder, SHARDS[0]), 'junk');
    expect(fault()).toMatchObject({ file: join(folder, SHARDS[0]), field: 'header length' });
  });

  it.each([
    ['no index', undefined, undefined, /no such file or folder/],
    ['broken JSON', '{', undefined, /expected JSON/],
    ['a list', '[]', undefined, /JSON object/],
    [
      'a tensor listed twice',
      `{"weight_map":{"a":"${SHARDS[0]}","a":"${SHARDS[0]}"}}`,
      undefined,
      /"a" occurs twice/,
    ],
    ['no map', {}, 'weight_map', /got nothing/],
    ['an empty map', { weight_map: {} }, 'weight_map', /got \{\}/],
    ['a map that is a list', { weight_map: [] }, 'weight_map', /got \[\]/],
    ['a shard that is no text', { weight_map: { a: 1 } }, 'weight_map', /got 1/],
    ['a shard in another folder', { weight_map: { a: '../x.safetensors' } }, 'weight_map', /same folder/],
    [
      'a shard of another kind',
      { weight_map: { a: 'pytorch_model.bin' } },
      'weight_map',
      /\.safetensors file/,
    ],
    ['metadata that is no object', { metadata: 3, weight_map: MAP }, 'metadata', /expected an object, got 3/],
  ] as const)('refuses %s', (_, content, field, message) => {
    if (content === undefined) rmSync(index);
    else writeIndex(content);
    const error = fault();
    expect(error.message).toMatch(message);
    expect(error).toMatchObject({ file: index, field });
  });
});
