/**
 * The header of a safetensors file: `[u64 little-endian n][n bytes of JSON][payload]`, the JSON mapping each
 * name to its dtype, shape and byte range in the payload. Everything is checked before any tensor is made:
 * a file passes only if its ranges tile the payload exactly and each has the size its shape and dtype need.
 *
 * Source: https://huggingface.co/docs/safetensors, section "Format".
 */
import { type DType, dtypeBytes } from '../dtype.js';
import { dtypeOfElementType, elementTypeNames } from './element-type.js';
import { SafetensorsError } from './error.js';
import { describe, isObject, JsonFault, parseJsonObject } from './strict-json.js';

/** Limit of the format's reference reader on the JSON part. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Size of the length field in front of the JSON. */
export const LENGTH_BYTES = 8;

/** What a file says about one tensor. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** First byte, counted from the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  /** Free text pairs of the writer. */
  readonly metadata: Readonly<Record<string, string>>;
  /** By name, in the order of their bytes in the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** First byte after the header. */
  readonly payloadOffset: number;
}

/**
 * Length of the JSON part, from the first 8 bytes of a file.
 *
 * @param fileBytes size of the whole file
 * @throws SafetensorsError when the file is too short or the length is impossible
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (prefix.byteLength < LENGTH_BYTES || fileBytes < LENGTH_BYTES) {
    throw new SafetensorsError(`expected at least ${LENGTH_BYTES} bytes, got ${fileBytes}`, {
      file,
      field: 'header length',
    });
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES);
  const length = view.getBigUint64(0, true);
  const limit = Math.min(MAX_HEADER_BYTES, fileBytes - LENGTH_BYTES);
  if (length < 2n || length > BigInt(limit)) {
    throw new SafetensorsError(
      `expected between 2 and ${limit} bytes (the file has ${fileBytes}), got ${length}; ` +
        'the file is cut short or not a safetensors file',
      { file, field: 'header length' },
    );
  }
  return Number(length);
}

/**
 * Parses and checks a header.
 *
 * @param bytes the file from its first byte to at least the end of the header
 * @param file name of the file, for messages
 * @param fileBytes size of the whole file; by default `bytes` is the whole file
 * @throws SafetensorsError that names file, tensor and field
 */
export function parseHeader(
  bytes: Uint8Array,
  file: string,
  fileBytes = bytes.byteLength,
): SafetensorsHeader {
  const length = headerLength(bytes, fileBytes, file);
  const json = bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
  if (json[0] !== 0x7b) {
    throw new SafetensorsError(`expected JSON that starts with '{', got byte ${json[0]}`, {
      file,
      field: 'header',
    });
  }
  const entries = parseObject(json, file);
  const payloadOffset = LENGTH_BYTES + length;
  const metadata = readMetadata(entries.__metadata__, file);
  const tensors: TensorInfo[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (name !== '__metadata__') tensors.push(readTensor(name, entry, payloadOffset, file));
  }
  tensors.sort(
    (a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength || compare(a.name, b.name),
  );
  checkTiling(tensors, payloadOffset, fileBytes, file);
  return { metadata, tensors: new Map(tensors.map((info) => [info.name, info])), payloadOffset };
}

function parseObject(json: Uint8Array, file: string): Record<string, unknown> {
  try {
    return parseJsonObject(json);
  } catch (error) {
    if (error instanceof JsonFault) throw new SafetensorsError(error.message, { file, field: 'header' });
    throw error;
  }
}

function readMetadata(value: unknown, file: string): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value)) {
    throw new SafetensorsError(`expected an object of strings, got ${describe(value)}`, {
      file,
      field: '__metadata__',
    });
  }
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new SafetensorsError(`expected a string, got ${describe(text)}`, {
        file,
        field: `__metadata__.${key}`,
      });
    }
  }
  return value as Record<string, string>;
}

function readTensor(name: string, entry: unknown, payloadOffset: number, file: string): TensorInfo {
  const fail = (field: string | undefined, reason: string): never => {
    throw new SafetensorsError(reason, { file, tensor: name, field });
  };
  // A lone surrogate has no UTF-8 form, so such a name could not be written back or shown.
  if (/\p{Surrogate}/u.test(name)) fail(undefined, 'expected a name that is valid Unicode');
  if (!isObject(entry))
    return fail(undefined, `expected an object with dtype, shape and data_offsets, got ${describe(entry)}`);
  const dtype = readDtype(entry.dtype, fail);
  const shape = readShape(entry.shape, fail);
  const [begin, end] = readOffsets(entry.data_offsets, fail);
  const needed = shape.reduce((product, size) => product * size, dtypeBytes(dtype));
  if (end - begin !== needed) {
    fail(
      'data_offsets',
      `expected ${needed} bytes for shape [${shape}] of ${dtype}, got ${end - begin} ([${begin}, ${end}])`,
    );
  }
  return { name, dtype, shape, byteOffset: payloadOffset + begin, byteLength: needed };
}

type Fail = (field: string, reason: string) => never;

function readDtype(value: unknown, fail: Fail): DType {
  const dtype = typeof value === 'string' ? dtypeOfElementType(value) : undefined;
  const known = elementTypeNames.join(', ');
  if (dtype === undefined) return fail('dtype', `expected one of ${known}, got ${describe(value)}`);
  if (dtype === 'unsupported')
    return fail('dtype', `${value} is unsupported; convert the file to one of ${known}`);
  return dtype;
}

function readShape(value: unknown, fail: Fail): number[] {
  if (!Array.isArray(value)) return fail('shape', `expected an array of sizes, got ${describe(value)}`);
  let product = 1;
  value.forEach((size: unknown, dim) => {
    if (!isCount(size)) fail(`shape[${dim}]`, `expected a whole number ≥ 0, got ${describe(size)}`);
    product *= Math.max(1, size as number);
  });
  // Zero sizes are left out of the product: the strides must not overflow either.
  if (!Number.isSafeInteger(product * 8)) fail('shape', `[${value}] has too many elements`);
  return value as number[];
}

function readOffsets(value: unknown, fail: Fail): [number, number] {
  if (!Array.isArray(value) || value.length !== 2 || !isCount(value[0]) || !isCount(value[1])) {
    return fail('data_offsets', `expected [begin, end] as whole numbers ≥ 0, got ${describe(value)}`);
  }
  const [begin, end] = value as [number, number];
  if (begin > end) fail('data_offsets', `expected begin ≤ end, got [${begin}, ${end}]`);
  return [begin, end];
}

/** Ranges, sorted by offset, must cover the payload without overlap and without a hole. */
function checkTiling(
  tensors: readonly TensorInfo[],
  payloadOffset: number,
  fileBytes: number,
  file: string,
): void {
  let position = payloadOffset;
  let previous: TensorInfo | undefined;
  for (const info of tensors) {
    const begin = info.byteOffset - payloadOffset;
    const fault = { file, tensor: info.name, field: 'data_offsets' };
    if (info.byteOffset + info.byteLength > fileBytes) {
      const payloadBytes = fileBytes - payloadOffset;
      throw new SafetensorsError(
        `expected an end ≤ ${payloadBytes}, the size of the payload, got ${begin + info.byteLength}; the file is cut short`,
        fault,
      );
    }
    if (info.byteOffset < position) {
      throw new SafetensorsError(`byte ${begin} belongs to tensor '${previous?.name}' too`, fault);
    }
    if (info.byteOffset > position) {
      throw new SafetensorsError(
        `expected to begin at ${position - payloadOffset}, where the bytes before end, got ${begin}`,
        fault,
      );
    }
    position += info.byteLength;
    previous = info;
  }
  if (position !== fileBytes) {
    throw new SafetensorsError(`expected ${position} bytes by the header, got ${fileBytes}`, {
      file,
      field: 'file size',
    });
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
