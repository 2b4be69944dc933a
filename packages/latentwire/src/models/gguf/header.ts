/**
 * Parser of a GGUF file's header: version, metadata, tensor table. Tensor bytes are not touched.
 *
 * Own parser: `@huggingface/gguf` 0.4.6 takes 1.8 s for the header of a Llama 3 vocabulary (this one
 * 0.2 s) and does not check that tensors lie inside the file. Like ggml's own loader this one demands
 * that tensors follow each other without gap or overlap, so that a damaged type, shape or offset in the
 * table cannot yield a wrong tensor.
 *
 * Source: GGUF specification versions 2 and 3 (ggml/docs/gguf.md).
 */
import * as fs from 'node:fs';
import { LatentWireError } from '../../errors.js';
import { type GgmlType, ggmlTypeById } from './ggml-types.js';
import { HeaderReader } from './header-reader.js';
import { GgufMetadata, type GgufValue, readGgufValue } from './metadata.js';

export interface GgufTensorInfo {
  readonly name: string;
  /** Slowest dimension first, as in PyTorch: a linear layer is [out, in]. (The file stores the reverse.) */
  readonly shape: readonly number[];
  readonly type: GgmlType;
  readonly elements: number;
  /** Offset of the first byte from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface GgufFile {
  readonly path: string;
  readonly version: 2 | 3;
  readonly fileBytes: number;
  readonly alignment: number;
  readonly metadata: GgufMetadata;
  /** In file order, by name. */
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>;
}

const MAGIC = 'GGUF';
const DEFAULT_ALIGNMENT = 32;
const MAX_ALIGNMENT = 1 << 20;
const MAX_DIMENSIONS = 4;
/** Fewest bytes of a key-value pair (empty key, type, one byte) and of a tensor entry (empty name, one dimension). */
const MIN_PAIR_BYTES = 13;
const MIN_ENTRY_BYTES = 32;

/**
 * Reads and checks the header of a GGUF file.
 * @throws LatentWireError 'format' naming file and field when the file is not a whole, consistent GGUF v2/v3;
 *   'input' when there is no such file.
 */
export function readGguf(path: string): GgufFile {
  const fd = openFile(path);
  try {
    return parse(new HeaderReader(path, fd, fs.fstatSync(fd).size));
  } finally {
    fs.closeSync(fd);
  }
}

/** Opens for reading; a missing or unreadable file is the user's to mend, so it says so. */
export function openFile(path: string): number {
  try {
    const fd = fs.openSync(path, 'r');
    if (fs.fstatSync(fd).isFile()) return fd;
    fs.closeSync(fd);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new LatentWireError(`${path}: expected a readable GGUF file, got ${code ?? String(cause)}`, {
      code: code === 'ENOENT' ? 'input' : 'io',
      hint: 'check the path and its permissions',
      cause,
    });
  }
  throw new LatentWireError(`${path}: expected a GGUF file, got a directory or device`, { code: 'input' });
}

function parse(reader: HeaderReader): GgufFile {
  const magic = reader.bytes(4, 'magic').toString('latin1');
  if (magic !== MAGIC) reader.fail('magic', `'${MAGIC}'`, JSON.stringify(magic));
  const version = reader.u32('version');
  if (version !== 2 && version !== 3) {
    reader.fail(
      'version',
      '2 or 3',
      String(version),
      'big-endian and version 1 files are not supported; convert again',
    );
  }
  const tensorCount = reader.count(MIN_ENTRY_BYTES, 'tensor count');
  const pairCount = reader.count(MIN_PAIR_BYTES, 'metadata count');

  const metadata = readMetadata(reader, pairCount);
  const alignment = metadata.optionalInteger('general.alignment', 1, MAX_ALIGNMENT) ?? DEFAULT_ALIGNMENT;
  if ((alignment & (alignment - 1)) !== 0) {
    metadata.fail('general.alignment', 'a power of two', String(alignment));
  }
  const splits = metadata.optionalNumber('split.count') ?? 0;
  if (splits > 1) {
    reader.fail(
      "metadata 'split.count'",
      'a file in one part',
      `part of ${splits}`,
      'join the parts with llama-gguf-split --merge',
    );
  }
  const tensors = readTensorTable(reader, tensorCount, alignment);
  return { path: reader.path, version, fileBytes: reader.fileBytes, alignment, metadata, tensors };
}

function readMetadata(reader: HeaderReader, count: number): GgufMetadata {
  const entries = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = reader.string(`key of metadata ${i}`);
    const field = `metadata '${key}'`;
    if (key === '') reader.fail(`key of metadata ${i}`, 'a name', 'an empty string');
    if (entries.has(key)) reader.fail(field, 'one entry', 'two');
    entries.set(key, readGgufValue(reader, reader.u32(`type of ${field}`), field));
  }
  return new GgufMetadata(reader.path, entries);
}

interface TableEntry {
  readonly name: string;
  readonly shape: number[];
  readonly type: GgmlType;
  readonly elements: number;
  readonly relativeOffset: bigint;
}

function readTensorTable(
  reader: HeaderReader,
  count: number,
  alignment: number,
): Map<string, GgufTensorInfo> {
  const entries: TableEntry[] = [];
  for (let i = 0; i < count; i++) entries.push(readTableEntry(reader, i));

  const align = (offset: number) => Math.ceil(offset / alignment) * alignment;
  const dataStart = align(reader.position);
  const tensors = new Map<string, GgufTensorInfo>();
  let next = dataStart;
  let end = reader.position;
  for (const { name, shape, type, elements, relativeOffset } of entries) {
    const field = `tensor '${name}'`;
    const expected = next - dataStart;
    if (relativeOffset !== BigInt(expected)) {
      reader.fail(
        `offset of ${field}`,
        `${expected} (right after the tensor before it)`,
        String(relativeOffset),
      );
    }
    const bytes = (elements / type.blockSize) * type.blockBytes;
    end = next + bytes;
    if (end > reader.fileBytes) {
      reader.fail(
        field,
        `${bytes} bytes at offset ${next}`,
        `end of file at ${reader.fileBytes}`,
        'the download is incomplete',
      );
    }
    if (tensors.has(name)) reader.fail(field, 'one entry', 'two');
    tensors.set(name, { name, shape, type, elements, offset: next, bytes });
    next = align(end);
  }
  if (reader.fileBytes > Math.max(next, dataStart)) {
    reader.fail(
      'file size',
      `at most ${Math.max(next, dataStart)} bytes (end of the last tensor)`,
      String(reader.fileBytes),
    );
  }
  return tensors;
}

function readTableEntry(reader: HeaderReader, index: number): TableEntry {
  const name = reader.string(`name of tensor ${index}`);
  if (name === '') reader.fail(`name of tensor ${index}`, 'a name', 'an empty string');
  const field = `tensor '${name}'`;
  const dimensions = reader.u32(`dimension count of ${field}`);
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    reader.fail(`dimension count of ${field}`, `1..${MAX_DIMENSIONS}`, String(dimensions));
  }
  const shape: number[] = [];
  let elements = 1;
  for (let d = 0; d < dimensions; d++) {
    const extent = reader.u64(`dimension ${d} of ${field}`);
    elements *= Number(extent);
    if (extent < 1n || !Number.isSafeInteger(elements)) {
      reader.fail(
        `dimension ${d} of ${field}`,
        'a positive extent with a product below 2^53',
        String(extent),
      );
    }
    shape.unshift(Number(extent));
  }
  const id = reader.u32(`type of ${field}`);
  const type = ggmlTypeById(id);
  if (type === undefined) return reader.fail(`type of ${field}`, 'a known ggml type', String(id));
  const rowLength = shape[shape.length - 1]!;
  if (rowLength % type.blockSize !== 0) {
    reader.fail(
      `row length of ${field}`,
      `a multiple of ${type.blockSize} for ${type.name}`,
      String(rowLength),
    );
  }
  return { name, shape, type, elements, relativeOffset: reader.u64(`offset of ${field}`) };
}
