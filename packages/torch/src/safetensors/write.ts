/**
 * Writes safetensors files: streamed tensor by tensor in chunks (host memory stays at one chunk, also for
 * tensors on a GPU), byte for byte reproducible, and atomic (see replace-file.ts).
 */
import { type DType, dtypeBytes } from '../dtype.js';
import { native } from '../native.js';
import { Tensor } from '../tensor.js';
import { BLANK_DIGEST, DIGEST_KEY, digestPosition, newDigest } from './digest.js';
import { SafetensorsError, systemReason } from './error.js';
import { type Layout, layOut, type TensorEntry } from './layout.js';
import { openSafetensors } from './open.js';
import { type FileOperations, type FileWriter, replaceFile } from './replace-file.js';

/** A tensor as plain memory: row-major little-endian elements. */
export interface RawTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: NodeJS.TypedArray;
}

/** Named tensors, as a record or as pairs. */
export type NamedTensors =
  | Readonly<Record<string, Tensor | RawTensor>>
  | Iterable<readonly [string, Tensor | RawTensor]>;

export interface WriteOptions {
  /** Free text pairs for the header. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Adds `__metadata__.file_sha256`, a digest of the whole file, and checks it before the old file is replaced. */
  readonly digest?: boolean;
  /** @internal Fault injection. */
  readonly operations?: FileOperations;
}

interface Entry extends TensorEntry {
  readonly value: Tensor | RawTensor;
}

/** Bytes that are copied from a tensor at once. */
const CHUNK_BYTES = 1 << 24;

/**
 * Writes `tensors` to `path`, replacing a file that is there. The path holds either the old or the new file at
 * every moment.
 *
 * @throws SafetensorsError when the input cannot be written (bad name, wrong data length) or the operating
 *   system refuses (disk full, permission); the old file is then untouched
 */
export function writeSafetensors(path: string, tensors: NamedTensors, options: WriteOptions = {}): void {
  const layout = layOutTensors(path, tensors, options);
  try {
    replaceFile(path, (file) => writeFile(file, layout, options.digest === true), {
      ...(options.operations && { operations: options.operations }),
      ...(options.digest && { verify: verifyDigest }),
    });
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw cause;
    throw new SafetensorsError(`cannot write: ${systemReason(cause)}`, { file: path, cause });
  }
}

function layOutTensors(path: string, tensors: NamedTensors, options: WriteOptions): Layout<Entry> {
  const pairs = Symbol.iterator in tensors ? tensors : Object.entries(tensors);
  const entries: Entry[] = [];
  for (const [name, value] of pairs) {
    const { dtype, shape } = value;
    if (!(value instanceof Tensor)) {
      if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
        throw new SafetensorsError(`expected whole numbers ≥ 0, got [${shape}]`, {
          file: path,
          tensor: name,
          field: 'shape',
        });
      }
      const needed = shape.reduce((product, size) => product * size, dtypeBytes(dtype));
      if (value.data.byteLength !== needed) {
        throw new SafetensorsError(
          `expected ${needed} bytes for shape [${shape}] of ${dtype}, got ${value.data.byteLength}`,
          { file: path, tensor: name, field: 'data' },
        );
      }
    }
    entries.push({ name, dtype, shape, value });
  }
  const metadata = { ...options.metadata, ...(options.digest && { [DIGEST_KEY]: BLANK_DIGEST }) };
  try {
    return layOut(entries, metadata);
  } catch (error) {
    if (error instanceof RangeError)
      throw new SafetensorsError(error.message, { file: path, field: 'header' });
    throw error;
  }
}

function writeFile(file: FileWriter, layout: Layout<Entry>, withDigest: boolean): void {
  const digest = newDigest();
  const append = (bytes: Uint8Array) => {
    if (withDigest) digest.update(bytes);
    file.append(bytes);
  };
  append(layout.header);
  for (const { value } of layout.entries) {
    if (value instanceof Tensor) appendTensor(value, append);
    else append(new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength));
  }
  if (withDigest) {
    file.overwrite(digestPosition(layout.header, BLANK_DIGEST), Buffer.from(digest.digest('hex'), 'latin1'));
  }
}

/** Appends the elements in row-major order, a chunk at a time. */
function appendTensor(tensor: Tensor, append: (bytes: Uint8Array) => void): void {
  const chunk = Math.floor(CHUNK_BYTES / dtypeBytes(tensor.dtype));
  const count = tensor.numel;
  if (count <= chunk) {
    append(tensor.toBytes());
    return;
  }
  const detached = native.call(DETACH, tensor.handle) as number;
  const flat = native.call(RESHAPE, detached, [-1]) as number;
  native.release(detached);
  try {
    for (let start = 0; start < count; start += chunk) {
      const part = native.call(NARROW, flat, 0, start, Math.min(chunk, count - start)) as number;
      try {
        append(new Uint8Array(native.toBytes(part)));
      } finally {
        native.release(part);
      }
    }
  } finally {
    native.release(flat);
  }
}

function verifyDigest(path: string): void {
  using file = openSafetensors(path);
  file.verifyDigest();
}

const DETACH = native.resolve('aten::detach');
const RESHAPE = native.resolve('aten::reshape');
const NARROW = native.resolve('aten::narrow');
