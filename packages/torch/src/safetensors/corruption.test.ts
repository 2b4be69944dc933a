/** Damaged files, drawn from a seed: each must be refused by name, and none may crash or give wrong numbers. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RandomCursor, RandomRoot } from '../random/streams.js';
import { liveTensors, scope } from '../scope.js';
import { SafetensorsError } from './error.js';
import { openSafetensors } from './open.js';
import { INDEX_FILE, openSafetensorsIndex } from './open-index.js';
import { type RawTensor, writeSafetensors } from './write.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safetensors-corrupt-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TENSORS: Record<string, RawTensor> = {
  'embed.weight': {
    dtype: 'float32',
    shape: [4, 8],
    data: Float32Array.from({ length: 32 }, (_, i) => i / 7),
  },
  'layers.0.weight': {
    dtype: 'bfloat16',
    shape: [3, 5],
    data: Uint16Array.from({ length: 15 }, (_, i) => 16256 + i),
  },
  'layers.0.bias': {
    dtype: 'float16',
    shape: [5],
    data: Uint16Array.from({ length: 5 }, (_, i) => 15360 + i),
  },
  step: { dtype: 'int64', shape: [], data: BigInt64Array.of(77n) },
  mask: { dtype: 'bool', shape: [7], data: Uint8Array.of(1, 0, 1, 1, 0, 0, 1) },
};

interface Info {
  dtype: unknown;
  shape: unknown[];
  data_offsets: unknown[];
}
type Header = Record<string, Info | undefined> & { __metadata__?: unknown };

/** The parts of a valid file, to be put together wrongly. */
function parts(path: string): { header: Header; payload: Buffer } {
  const bytes = readFileSync(path);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  return { header: JSON.parse(bytes.toString('utf8', 8, end)), payload: bytes.subarray(end) };
}

function join8(json: string, payload: Uint8Array): Buffer {
  const text = Buffer.from(json);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, payload]);
}

/** Wrong values where a whole number ≥ 0 is expected. */
const NOT_COUNTS = [-1, 0.5, 1e300, 2 ** 53, '1', null, true, [], {}];

/** Changes to a header entry that are wrong whatever the entry holds. */
const ENTRY_FAULTS: readonly ((info: Info, random: RandomCursor) => void)[] = [
  (info) => Object.assign(info, { dtype: undefined }),
  (info) => Object.assign(info, { shape: undefined }),
  (info) => Object.assign(info, { data_offsets: undefined }),
  (info, random) =>
    Object.assign(info, { dtype: pick(['F8_E5M2', 'float32', 'f32', '', 7, null, ['F32']], random) }),
  (info) =>
    Object.assign(info, { dtype: info.dtype === 'I16' ? 'F64' : info.dtype === 'BOOL' ? 'F16' : 'BOOL' }),
  (info, random) => info.shape.push(pick(NOT_COUNTS, random)),
  (info, random) => info.shape.push(2 + random.nextInteger(9)),
  (info) => info.shape.push(0),
  (info, random) => Object.assign(info, { shape: pick(['[1]', 3, null, {}], random) }),
  (info, random) => info.data_offsets.splice(random.nextInteger(2), 1, pick(NOT_COUNTS, random)),
  (info, random) => info.data_offsets.splice(random.nextInteger(2), 1),
  (info) => info.data_offsets.push(0),
  (info) => info.data_offsets.reverse(),
  (info, random) => shift(info, 1 + random.nextInteger(200), 0),
  (info, random) => shift(info, 0, 1 + random.nextInteger(200)),
  (info, random) => shift(info, 1 + random.nextInteger(200)),
];

/** Changes to the file as a whole. */
const FILE_FAULTS: readonly ((path: string, random: RandomCursor) => Buffer)[] = [
  (path, random) => readFileSync(path).subarray(0, random.nextInteger(readFileSync(path).length)),
  (path, random) => Buffer.concat([readFileSync(path), Buffer.alloc(1 + random.nextInteger(64))]),
  (path, random) => {
    const bytes = Buffer.from(readFileSync(path));
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(0) + BigInt(1 + random.nextInteger(1 << 20)));
    return bytes;
  },
  (path, random) => {
    const bytes = Buffer.from(readFileSync(path));
    bytes.writeBigUInt64LE(BigInt(random.nextInteger(Number(bytes.readBigUInt64LE(0)) - 8)));
    return bytes;
  },
  (path, random) => {
    // One byte of the JSON that UTF-8 does not allow.
    const bytes = Buffer.from(readFileSync(path));
    bytes[9 + random.nextInteger(200)] = 0xff;
    return bytes;
  },
  (path, random) => {
    const { header, payload } = parts(path);
    const name = pick(Object.keys(TENSORS), random);
    return join8(
      `{${JSON.stringify(name)}:${JSON.stringify(header[name])},${JSON.stringify(header).slice(1)}`,
      payload,
    );
  },
  (path, random) => {
    const { header, payload } = parts(path);
    return join8(
      JSON.stringify({ ...header, __metadata__: pick([1, 'x', [], { a: 1 }, { a: null }], random) }),
      payload,
    );
  },
  (path, random) => {
    const { header, payload } = parts(path);
    // Leaves a hole, except for the empty ranges that this file does not have.
    delete header[pick(Object.keys(TENSORS), random)];
    return join8(JSON.stringify(header), payload);
  },
];

function pick<T>(items: readonly T[], random: RandomCursor): T {
  return items[random.nextInteger(items.length)]!;
}

function shift(info: Info, begin: number, end = begin): void {
  info.data_offsets[0] = (info.data_offsets[0] as number) + begin;
  info.data_offsets[1] = (info.data_offsets[1] as number) + end;
}

/** Loads everything that the file offers, or gives the error. Any other error fails the test. */
function readAll(path: string, digest = false): Map<string, Buffer> | SafetensorsError {
  try {
    return scope(() => {
      using file = openSafetensors(path);
      if (digest) file.verifyDigest();
      return new Map(file.names.map((name) => [name, Buffer.from(file.load(name).toBytes())]));
    });
  } catch (error) {
    if (error instanceof SafetensorsError) return error;
    throw error;
  }
}

describe('a damaged safetensors file', () => {
  it('is refused by name of file, tensor and field when its header contradicts itself (160 mutations)', () => {
    const path = join(folder, 'entry.safetensors');
    writeSafetensors(path, TENSORS);
    const { header, payload } = parts(path);
    const random = new RandomRoot(1).stream('entry-faults').cursor();
    for (let trial = 0; trial < 160; trial++) {
      const mutated: Header = structuredClone(header);
      const name = pick(Object.keys(TENSORS), random);
      const mutate = ENTRY_FAULTS[trial % ENTRY_FAULTS.length]!;
      mutate(mutated[name]!, random);
      const bad = join(folder, 'bad.safetensors');
      writeFileSync(bad, join8(JSON.stringify(mutated), payload));
      const error = readAll(bad);
      expect(error, JSON.stringify(mutated[name])).toBeInstanceOf(SafetensorsError);
      const fault = error as SafetensorsError;
      expect(fault.file).toBe(bad);
      expect(fault.field).toMatch(/^(dtype|shape|data_offsets)/);
      // Moved offsets may show at the neighbour; every other fault shows at the tensor itself.
      if (fault.field !== 'data_offsets') expect(fault.tensor).toBe(name);
      expect(Object.keys(TENSORS)).toContain(fault.tensor);
      expect(fault.message).toContain(bad);
    }
  });

  it('is refused when cut, extended, mislabelled or incomplete (160 mutations)', () => {
    const path = join(folder, 'file.safetensors');
    writeSafetensors(path, TENSORS, { metadata: { format: 'pt' } });
    const random = new RandomRoot(2).stream('file-faults').cursor();
    for (let trial = 0; trial < 160; trial++) {
      const bad = join(folder, 'bad.safetensors');
      writeFileSync(bad, FILE_FAULTS[trial % FILE_FAULTS.length]!(path, random));
      const error = readAll(bad);
      expect(error, `mutation ${trial}`).toBeInstanceOf(SafetensorsError);
      expect(error).toMatchObject({ file: bad, field: expect.any(String) });
    }
  });

  it('with a digest is refused whichever byte is changed (600 mutations)', () => {
    const path = join(folder, 'digest.safetensors');
    writeSafetensors(path, TENSORS, { digest: true, metadata: { format: 'pt' } });
    const bytes = readFileSync(path);
    expect(readAll(path, true)).toBeInstanceOf(Map);
    const random = new RandomRoot(3).stream('byte-faults').cursor();
    const before = liveTensors();
    for (let trial = 0; trial < 600; trial++) {
      const mutated = Buffer.from(bytes);
      mutated[random.nextInteger(bytes.length)]! ^= 1 << random.nextInteger(8);
      const bad = join(folder, 'bad.safetensors');
      writeFileSync(bad, mutated);
      expect(readAll(bad, true)).toBeInstanceOf(SafetensorsError);
      // Without the check of the digest: refused, or bytes exactly as the file has them.
      const result = readAll(bad);
      if (result instanceof SafetensorsError) continue;
      const held = [...result.values()].reduce((sum, value) => sum + value.length, 0);
      expect(held).toBe(parts(bad).payload.length);
      for (const value of result.values()) expect(mutated.includes(value)).toBe(true);
    }
    expect(liveTensors()).toBe(before);
  });
});

describe('a damaged index', () => {
  it('is refused, or still maps every tensor to its right bytes (300 mutations)', () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
    const names = Object.keys(TENSORS);
    const model = (shard: number) =>
      Object.fromEntries(names.filter((_, i) => i % 2 === shard).map((n) => [n, TENSORS[n]!]));
    for (const shard of [0, 1]) writeSafetensors(join(folder, shards[shard]!), model(shard));
    const index = join(folder, INDEX_FILE);
    const text = JSON.stringify({
      metadata: { total_size: 219 },
      weight_map: Object.fromEntries(names.map((n, i) => [n, shards[i % 2]!])),
    });
    const random = new RandomRoot(4).stream('index-faults').cursor();
    let refused = 0;
    for (let trial = 0; trial < 300; trial++) {
      const bytes = Buffer.from(text);
      const at = random.nextInteger(bytes.length);
      if (trial % 3 === 0) bytes[at]! ^= 1 << random.nextInteger(8);
      const cut = trial % 3 === 1 ? bytes.subarray(0, at) : bytes;
      // A run of bytes written twice.
      const doubled = trial % 3 === 2 ? Buffer.concat([bytes.subarray(0, at + 1), bytes.subarray(at)]) : cut;
      writeFileSync(index, doubled);
      try {
        scope(() => {
          using source = openSafetensorsIndex(index);
          for (const name of source.names) {
            const { data } = TENSORS[name]!;
            expect(Buffer.from(source.load(name).toBytes()).equals(Buffer.from(data.buffer))).toBe(true);
          }
        });
      } catch (error) {
        expect(error).toBeInstanceOf(SafetensorsError);
        expect((error as SafetensorsError).message).toContain(INDEX_FILE);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(250);
  });

  it('or a damaged shard is named (40 mutations)', () => {
    const shard = join(folder, 'model-00001-of-00001.safetensors');
    writeSafetensors(shard, TENSORS);
    const whole = join(folder, 'whole');
    copyFileSync(shard, whole);
    writeFileSync(
      join(folder, INDEX_FILE),
      JSON.stringify({
        weight_map: Object.fromEntries(Object.keys(TENSORS).map((name) => [name, basename(shard)])),
      }),
    );
    const random = new RandomRoot(5).stream('shard-faults').cursor();
    for (let trial = 0; trial < 40; trial++) {
      writeFileSync(shard, FILE_FAULTS[trial % FILE_FAULTS.length]!(whole, random));
      expect(() => openSafetensorsIndex(folder)).toThrow(SafetensorsError);
      expect(() => openSafetensorsIndex(folder)).toThrow(basename(shard));
    }
  });
});
