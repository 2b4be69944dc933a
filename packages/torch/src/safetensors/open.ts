/**
 * Reads safetensors files. Opening reads and checks the header only; a tensor is a view of the memory-mapped
 * file, so loading onto the CPU copies nothing. Onto a GPU several threads read it through pinned memory.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { type Device, parseDevice } from '../device.js';
import { type DType, dtypeCode } from '../dtype.js';
import { TorchError } from '../error.js';
import { native } from '../native.js';
import { empty } from '../ops/create.js';
import { Tensor } from '../tensor.js';
import { checkDigest, readFully } from './digest.js';
import { SafetensorsError, systemReason } from './error.js';
import {
  headerLength,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from './header.js';
import { unknownName } from './unknown-name.js';

export interface LoadOptions {
  /** Default 'cpu'. */
  readonly device?: Device | string;
  /** Converts the elements; default: as in the file. */
  readonly dtype?: DType;
}

/** Named tensors that can be loaded one by one: one file, or the shards of one model. */
export interface TensorSource extends Disposable {
  /** Names in the order of the bytes. */
  readonly names: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  has(name: string): boolean;
  /** Dtype, shape and place of a tensor. Throws SafetensorsError for an unknown name. */
  info(name: string): TensorInfo;
  /**
   * The tensor of that name. On the CPU and without conversion it is a view of the mapped file: it stays valid
   * after `close`, and writing to it never changes the file, but shows in other loads of that name; clone first.
   */
  load(name: string, options?: LoadOptions): Tensor;
  /** Loads no more. Tensors made before stay valid. */
  close(): void;
}

/** One open safetensors file. */
export class SafetensorsFile implements TensorSource {
  readonly path: string;
  readonly #header: SafetensorsHeader;
  /** Tensors given out as views. Their pages may hold writes of the caller, so they are never dropped. */
  readonly #viewed = new Set<string>();
  #mapping: number | undefined;

  /** Use {@link openSafetensors}. */
  constructor(path: string, header: SafetensorsHeader, mapping: number) {
    this.path = path;
    this.#header = header;
    this.#mapping = mapping;
  }

  get names(): readonly string[] {
    return [...this.#header.tensors.keys()];
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.#header.metadata;
  }

  has(name: string): boolean {
    return this.#header.tensors.has(name);
  }

  info(name: string): TensorInfo {
    const info = this.#header.tensors.get(name);
    if (info === undefined) throw unknownName(name, this.#header.tensors.keys(), this.path);
    return info;
  }

  load(name: string, options: LoadOptions = {}): Tensor {
    const info = this.info(name);
    const mapping = this.#mapping;
    if (mapping === undefined) {
      throw new SafetensorsError('expected an open file, got one that was closed', {
        file: this.path,
        tensor: name,
      });
    }
    const device = parseDevice(options.device ?? 'cpu');
    const dtype = options.dtype ?? info.dtype;
    if (device !== 'cpu' && info.byteLength >= READ_BYTES && native.readsToDevice()) {
      const read = this.#translated(name, () => readTensor(mapping, info, device));
      if (dtype === info.dtype) return read;
      const converted = read.to({ dtype });
      read.dispose();
      return converted;
    }
    const mapped = new Tensor(native.mapTensor(mapping, info.byteOffset, info.shape, dtypeCode(info.dtype)));
    if (device === 'cpu' && dtype === info.dtype) {
      this.#viewed.add(name);
      return mapped;
    }
    try {
      return mapped.to({ device, dtype });
    } finally {
      mapped.dispose();
      if (!this.#viewed.has(name)) native.mapRelease(mapping, info.byteOffset, info.byteLength);
    }
  }

  #translated<T>(name: string, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (!(cause instanceof TorchError)) throw cause;
      throw new SafetensorsError(`cannot read: ${cause.message}`, { file: this.path, tensor: name, cause });
    }
  }

  /**
   * Reads the whole file and compares it with the digest in its header.
   *
   * @throws SafetensorsError when the file was written without one, or a byte differs
   */
  verifyDigest(): void {
    checkDigest(this.path, this.metadata, this.#header.payloadOffset);
  }

  close(): void {
    if (this.#mapping !== undefined) native.mapClose(this.#mapping);
    this.#mapping = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Smaller tensors are copied from the mapped file: threads would cost more than they bring. */
const READ_BYTES = 1 << 20;
const READ_THREADS = 8;
const PIECE_BYTES = 1 << 22;

/** A tensor read from an open file into new memory of a device. @internal exported for tests */
export function readTensor(
  mapping: number,
  info: TensorInfo,
  device: Device,
  { threads = READ_THREADS, pieceBytes = PIECE_BYTES } = {},
): Tensor {
  const tensor = empty(info.shape, { dtype: info.dtype, device });
  try {
    native.readTensor(mapping, info.byteOffset, tensor.handle, threads, pieceBytes);
    return tensor;
  } catch (error) {
    tensor.dispose();
    throw error;
  }
}

/**
 * Opens a safetensors file and checks its header.
 *
 * @throws SafetensorsError that names file, tensor and field of what is wrong
 */
export function openSafetensors(path: string): SafetensorsFile {
  const header = readHeader(path);
  return new SafetensorsFile(path, header, native.mapOpen(path));
}

/** Reads and checks the header of a file without mapping it. */
export function readHeader(path: string): SafetensorsHeader {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const fileBytes = fstatSync(fd).size;
    const prefix = Buffer.alloc(LENGTH_BYTES);
    const length = headerLength(prefix.subarray(0, readFully(fd, prefix)), fileBytes, path);
    const bytes = Buffer.alloc(LENGTH_BYTES + length);
    prefix.copy(bytes);
    readFully(fd, bytes.subarray(LENGTH_BYTES));
    return parseHeader(bytes, path, fileBytes);
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw cause;
    throw new SafetensorsError(`cannot read: ${systemReason(cause)}`, { file: path, cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
