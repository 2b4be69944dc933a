/**
 * Writer of small GGUF files: metadata and tensors in F32, F16 or Q8_0. Serves tests and fixtures; a model
 * is held in memory while it is written.
 *
 * Source: GGUF specification version 3; Q8_0 as ggml's `quantize_row_q8_0_ref`.
 */
import * as fs from 'node:fs';
import { LatentWireError } from '../../errors.js';
import { ggmlType } from './ggml-types.js';
import { floatToHalf } from './half.js';
import { GGUF_VALUE_TYPES, type GgufScalar, type GgufValueType } from './metadata.js';

/** A value with its type on disk. `typed('uint32', 5)`; arrays take the type of their elements. */
export interface TypedValue {
  readonly type: Exclude<GgufValueType, 'array'>;
  readonly value: GgufScalar | readonly GgufScalar[];
}

export function typed(type: TypedValue['type'], value: TypedValue['value']): TypedValue {
  return { type, value };
}

export interface GgufTensorToWrite {
  /** Slowest dimension first. */
  readonly shape: readonly number[];
  readonly type: 'F32' | 'F16' | 'Q8_0';
  /** Row-major weights. */
  readonly data: Float32Array;
}

export interface GgufToWrite {
  readonly version?: 2 | 3;
  readonly alignment?: number;
  readonly metadata: Readonly<Record<string, TypedValue>>;
  readonly tensors?: Readonly<Record<string, GgufTensorToWrite>>;
}

export function writeGguf(path: string, content: GgufToWrite): void {
  fs.writeFileSync(path, encodeGguf(content));
}

/** The bytes of the file. @throws LatentWireError 'internal' when a shape does not match its data. */
export function encodeGguf(content: GgufToWrite): Buffer {
  const alignment = content.alignment ?? 32;
  const metadata = { ...content.metadata };
  if (content.alignment !== undefined) metadata['general.alignment'] = typed('uint32', alignment);
  const tensors = Object.entries(content.tensors ?? {});

  const header = [
    Buffer.from('GGUF'),
    scalar('uint32', content.version ?? 3),
    scalar('uint64', tensors.length),
    scalar('uint64', Object.keys(metadata).length),
  ];
  for (const [key, value] of Object.entries(metadata)) header.push(scalar('string', key), pairValue(value));

  const data: Buffer[] = [];
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const bytes = encodeTensor(name, tensor);
    header.push(scalar('string', name), scalar('uint32', tensor.shape.length));
    for (const extent of [...tensor.shape].reverse()) header.push(scalar('uint64', extent));
    header.push(scalar('uint32', ggmlType(tensor.type).id), scalar('uint64', offset));
    data.push(bytes, padding(bytes.length, alignment));
    offset += bytes.length + padding(bytes.length, alignment).length;
  }
  const head = Buffer.concat(header);
  return Buffer.concat([head, padding(head.length, alignment), ...data]);
}

function padding(length: number, alignment: number): Buffer {
  return Buffer.alloc((alignment - (length % alignment)) % alignment);
}

function pairValue({ type, value }: TypedValue): Buffer {
  const id = (name: GgufValueType) => scalar('uint32', GGUF_VALUE_TYPES[name]);
  if (!Array.isArray(value)) return Buffer.concat([id(type), scalar(type, value as GgufScalar)]);
  const items = value.map((item: GgufScalar) => scalar(type, item));
  return Buffer.concat([id('array'), id(type), scalar('uint64', value.length), Buffer.concat(items)]);
}

function scalar(type: TypedValue['type'], value: GgufScalar): Buffer {
  const bytes = Buffer.alloc(8);
  const number = Number(value);
  switch (type) {
    case 'uint8':
    case 'bool':
      return bytes.subarray(0, bytes.writeUInt8(number));
    case 'int8':
      return bytes.subarray(0, bytes.writeInt8(number));
    case 'uint16':
      return bytes.subarray(0, bytes.writeUInt16LE(number));
    case 'int16':
      return bytes.subarray(0, bytes.writeInt16LE(number));
    case 'uint32':
      return bytes.subarray(0, bytes.writeUInt32LE(number));
    case 'int32':
      return bytes.subarray(0, bytes.writeInt32LE(number));
    case 'float32':
      return bytes.subarray(0, bytes.writeFloatLE(number));
    case 'float64':
      return bytes.subarray(0, bytes.writeDoubleLE(number));
    case 'uint64':
      return bytes.subarray(0, bytes.writeBigUInt64LE(BigInt(value)));
    case 'int64':
      return bytes.subarray(0, bytes.writeBigInt64LE(BigInt(value)));
    case 'string': {
      const text = Buffer.from(String(value));
      bytes.writeBigUInt64LE(BigInt(text.length));
      return Buffer.concat([bytes, text]);
    }
  }
}

function encodeTensor(name: string, { shape, type, data }: GgufTensorToWrite): Buffer {
  const { blockSize, blockBytes } = ggmlType(type);
  const elements = shape.reduce((product, extent) => product * extent, 1);
  if (elements !== data.length || shape[shape.length - 1]! % blockSize !== 0) {
    throw new LatentWireError(
      `tensor '${name}': expected ${elements} weights in rows of whole blocks of ${blockSize}, got ${data.length} in shape [${shape}]`,
      { code: 'internal' },
    );
  }
  const bytes = Buffer.alloc((elements / blockSize) * blockBytes);
  if (type === 'F32') bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  else if (type === 'F16')
    for (const [i, value] of data.entries()) bytes.writeUInt16LE(floatToHalf(value), 2 * i);
  else quantizeQ8(data, bytes);
  return bytes;
}

/** d = max|x| / 127 in float32, q = x / d rounded half away from zero; d is stored as binary16. */
function quantizeQ8(data: Float32Array, bytes: Buffer): void {
  for (let block = 0; block * 32 < data.length; block++) {
    const weights = data.subarray(32 * block, 32 * block + 32);
    const largest = weights.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const d = Math.fround(largest / 127);
    const inverse = d === 0 ? 0 : Math.fround(1 / d);
    bytes.writeUInt16LE(floatToHalf(d), 34 * block);
    weights.forEach((value, i) => {
      const scaled = Math.fround(value * inverse);
      bytes.writeInt8(Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5), 34 * block + 2 + i);
    });
  }
}
