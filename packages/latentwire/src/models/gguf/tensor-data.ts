/**
 * Reads tensors of a GGUF file as float32, in chunks: the quantised bytes pass through one 4 MB buffer
 * straight into the caller's array, so loading needs no second copy of the model in host memory.
 */
import * as fs from 'node:fs';
import { LatentWireError, nearestName } from '../../errors.js';
import { DEQUANTIZERS } from './dequantize.js';
import { type GgufFile, type GgufTensorInfo, openFile } from './header.js';

const CHUNK_BYTES = 4 << 20;

export interface ReadTensorOptions {
  /** Destination, at least `count` floats; a fresh array when absent. Pass a subarray to fill a slice. */
  readonly out?: Float32Array;
  /** First weight to read, a multiple of the type's block size (any row start is). Default 0. */
  readonly start?: number;
  /** Number of weights, a multiple of the block size. Default: to the end of the tensor. */
  readonly count?: number;
}

/** The entry of `name` in the tensor table. @throws LatentWireError 'format' with the nearest name when absent. */
export function ggufTensor(file: GgufFile, name: string): GgufTensorInfo {
  const tensor = file.tensors.get(name);
  if (tensor !== undefined) return tensor;
  const near = nearestName(name, file.tensors.keys());
  throw new LatentWireError(`${file.path}: expected a tensor '${name}', got none`, {
    code: 'format',
    ...(near === undefined ? {} : { hint: `the nearest name in the file is '${near}'` }),
  });
}

/**
 * Weights of one tensor, dequantised, in row-major order of `shape`.
 * @returns `options.out` (or a new array of `count` floats).
 * @throws LatentWireError 'format' when the type has no dequantiser or the file has changed since `readGguf`.
 */
export function readGgufTensor(file: GgufFile, name: string, options: ReadTensorOptions = {}): Float32Array {
  const tensor = ggufTensor(file, name);
  const { blockSize, blockBytes } = tensor.type;
  const dequantize = DEQUANTIZERS[tensor.type.name];
  if (dequantize === undefined) {
    throw new LatentWireError(
      `${file.path}: tensor '${name}': expected one of ${Object.keys(DEQUANTIZERS).join(', ')}, got ${tensor.type.name}`,
      { code: 'format', hint: 'use another quantisation of this model, for example Q8_0' },
    );
  }
  const start = options.start ?? 0;
  const count = options.count ?? tensor.elements - start;
  const out = options.out ?? new Float32Array(count);
  checkRange(file, tensor, start, count, out);

  const fd = openFile(file.path);
  try {
    const size = fs.fstatSync(fd).size;
    if (size !== file.fileBytes) {
      throw new LatentWireError(
        `${file.path}: expected ${file.fileBytes} bytes, got ${size}: changed while in use`,
        {
          code: 'format',
        },
      );
    }
    const blocks = count / blockSize;
    const blocksPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / blockBytes));
    const chunk = Buffer.allocUnsafeSlow(Math.min(blocks, blocksPerChunk) * blockBytes);
    let position = tensor.offset + (start / blockSize) * blockBytes;
    for (let done = 0; done < blocks; ) {
      const now = Math.min(blocksPerChunk, blocks - done);
      readFully(file, fd, chunk.subarray(0, now * blockBytes), position);
      dequantize(chunk, now, out, done * blockSize);
      done += now;
      position += now * blockBytes;
    }
  } finally {
    fs.closeSync(fd);
  }
  return out;
}

function checkRange(
  file: GgufFile,
  tensor: GgufTensorInfo,
  start: number,
  count: number,
  out: Float32Array,
): void {
  const { blockSize } = tensor.type;
  const aligned = Number.isInteger(start / blockSize) && Number.isInteger(count / blockSize);
  if (!aligned || start < 0 || count < 0 || start + count > tensor.elements) {
    throw new LatentWireError(
      `${file.path}: tensor '${tensor.name}': expected a range of whole blocks of ${blockSize} in 0..${tensor.elements}, got ${start}..${start + count}`,
      { code: 'internal' },
    );
  }
  if (out.length < count) {
    throw new LatentWireError(
      `${file.path}: tensor '${tensor.name}': expected room for ${count} floats, got ${out.length}`,
      { code: 'internal' },
    );
  }
}

function readFully(file: GgufFile, fd: number, into: Buffer, position: number): void {
  let filled = 0;
  while (filled < into.length) {
    const read = fs.readSync(fd, into, filled, into.length - filled, position + filled);
    if (read === 0) {
      throw new LatentWireError(`${file.path}: expected ${into.length} bytes at ${position}, got ${filled}`, {
        code: 'format',
        hint: 'the file was cut short while in use',
      });
    }
    filled += read;
  }
}
