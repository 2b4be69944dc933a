/**
 * One text's latents as bytes, and back. The format is described in docs/WIRE-FORMAT.md:
 *
 *   'LW' · version and precision · wire · M · d_z · group · scales · codes · CRC-32
 *
 * There is no length field: the header implies it, so a message that was cut or extended is refused before its
 * checksum is read. Pure functions on typed arrays; no tensors, no files.
 */
import { crc32 } from 'node:zlib';
import { LatentWireError } from '../../errors.js';
import { packBits, packedBytes, unpackBits } from './bit-packing.js';
import { groupsPerVector, MAX_GROUP, PRECISIONS, type Quantisation } from './quantisation.js';
import { dequantise, quantise } from './quantise.js';
import { readVarint, varintBytes, writeVarint } from './varint.js';
import type { WireId } from './wire-id.js';

/** Latents of one text. */
export interface Latents {
  /** M, vectors per message. */
  readonly count: number;
  /** d_z, numbers per vector. */
  readonly width: number;
  /** [M · d_z], vector after vector */
  readonly values: Float32Array;
}

export interface Message {
  readonly latents: Latents;
  readonly quantisation: Quantisation;
  /** The wire that wrote it. */
  readonly wire: WireId;
}

export interface EncodeOptions {
  readonly quantisation: Quantisation;
  readonly wire: WireId;
}

export const FORMAT_VERSION = 1;
/** Limits of the format; those of the settings `latent_len` and `d_z`. */
export const MAX_LATENTS = 4096;
export const MAX_WIDTH = 16_384;

const MAGIC = [0x4c, 0x57] as const; // 'LW'
const WIRE_AT = 3;
const SHAPE_AT = 7;
const CRC_BYTES = 4;
/** Values of a precision above this have no group field. */
const LARGEST_CODE_BITS = 8;

/**
 * The message of one text's latents.
 * @throws LatentWireError `input` for shapes the format cannot hold, `state` for latents that are not finite
 */
export function encodeMessage(latents: Latents, { quantisation, wire }: EncodeOptions): Uint8Array {
  checkLatents(latents);
  const { bits, group } = quantisation;
  const header: number[] = [...MAGIC, (FORMAT_VERSION << 4) | PRECISIONS.indexOf(bits)];
  for (let i = 0; i < 8; i += 2) header.push(Number.parseInt(wire.slice(i, i + 2), 16));
  writeVarint(header, latents.count);
  writeVarint(header, latents.width);
  if (bits <= LARGEST_CODE_BITS) writeVarint(header, group);

  const { codes, scales } = quantise(latents.values, latents.width, quantisation);
  const payload = packBits(codes, bits);
  const bytes = new Uint8Array(header.length + scales.length + payload.length + CRC_BYTES);
  bytes.set(header);
  bytes.set(scales, header.length);
  bytes.set(payload, header.length + scales.length);
  new DataView(bytes.buffer).setUint32(bytes.length - CRC_BYTES, crc32(bytes.subarray(0, -CRC_BYTES)), true);
  return bytes;
}

/**
 * The latents of a message, exactly as the wire was trained to read them.
 * @param expected the receiving wire; a message of another one is refused. null: any.
 * @throws LatentWireError `format` for bytes that are not one whole, undamaged message of this version; `input` for
 *   one of another wire
 */
export function decodeMessage(bytes: Uint8Array, expected: WireId | null = null): Message {
  const header = readHeader(bytes);
  const { quantisation, count, width, bodyAt } = header;
  const values = count * width;
  const scalesEnd = bodyAt + count * groupsPerVector(width, quantisation);
  const end = scalesEnd + packedBytes(values, quantisation.bits);
  if (bytes.length !== end + CRC_BYTES) {
    throw damaged(
      `expected ${end + CRC_BYTES} bytes for ${count} latents of ${width} numbers at ${quantisation.bits} bits, got ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [stated, found] = [view.getUint32(end, true), crc32(bytes.subarray(0, end))];
  if (stated !== found) {
    throw damaged(`expected checksum ${hex(stated)}, got ${hex(found)}`);
  }
  if (expected !== null && header.wire !== expected) {
    throw new LatentWireError(`expected a message of wire ${expected}, got one of wire ${header.wire}`, {
      code: 'input',
      hint: 'sender and receiver must use the same checkpoint of the same run',
    });
  }
  const codes = unpackBits(bytes.subarray(scalesEnd, end), quantisation.bits, values);
  const scales = bytes.subarray(bodyAt, scalesEnd);
  const latents = { count, width, values: dequantise({ codes, scales }, width, quantisation) };
  return { latents, quantisation, wire: header.wire };
}

/** Exact bytes of a message of M = `count` latents of `width` numbers: header, scales, codes and checksum. */
export function messageBytes(quantisation: Quantisation, count: number, width: number): number {
  const { bits, group } = quantisation;
  const shape = varintBytes(count) + varintBytes(width);
  const groupField = bits <= LARGEST_CODE_BITS ? varintBytes(group) : 0;
  const body = count * groupsPerVector(width, quantisation) + packedBytes(count * width, bits);
  return SHAPE_AT + shape + groupField + body + CRC_BYTES;
}

interface Header {
  readonly quantisation: Quantisation;
  readonly wire: WireId;
  readonly count: number;
  readonly width: number;
  /** Where the scales begin. */
  readonly bodyAt: number;
}

function readHeader(bytes: Uint8Array): Header {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new LatentWireError(`expected a latent message, beginning with "LW", got ${opening(bytes)}`, {
      code: 'format',
      hint: 'messages are written by latentwire encode',
    });
  }
  if (bytes.length < SHAPE_AT) throw damaged(`expected a header, got ${bytes.length} bytes`);
  const [version, precision] = [bytes[2]! >> 4, bytes[2]! & 15];
  if (version !== FORMAT_VERSION) {
    throw new LatentWireError(`expected a message of version ${FORMAT_VERSION}, got version ${version}`, {
      code: 'format',
      hint: 'use the same release of latentwire on both sides',
    });
  }
  const bits = PRECISIONS[precision];
  if (bits === undefined) throw damaged(`expected a known precision, got number ${precision}`);
  let at = SHAPE_AT;
  const read = (name: string, min: number, max: number): number => {
    const field = readVarint(bytes, at);
    if (field === null || field.value < min || field.value > max) {
      throw damaged(`expected ${name} of ${min} to ${max}, got ${field === null ? 'none' : field.value}`);
    }
    at = field.next;
    return field.value;
  };
  const count = read('a number of latents', 1, MAX_LATENTS);
  const width = read('a latent width', 1, MAX_WIDTH);
  const group = bits <= LARGEST_CODE_BITS ? read('a group size', 0, MAX_GROUP) : 0;
  const wire = Array.from(bytes.subarray(WIRE_AT, SHAPE_AT), (b) => b.toString(16).padStart(2, '0')).join('');
  return { quantisation: { bits, group }, wire: wire as WireId, count, width, bodyAt: at };
}

function checkLatents({ count, width, values }: Latents): void {
  const fits = (n: number, max: number): boolean => Number.isInteger(n) && n >= 1 && n <= max;
  if (!fits(count, MAX_LATENTS) || !fits(width, MAX_WIDTH) || values.length !== count * width) {
    throw new LatentWireError(
      `expected 1 to ${MAX_LATENTS} latents of 1 to ${MAX_WIDTH} numbers, got ${values.length} numbers for ${count} × ${width}`,
      { code: 'input' },
    );
  }
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new LatentWireError(`expected finite latents, got ${values[bad]} at number ${bad}`, {
      code: 'state',
      hint: 'the weights of this wire are broken: train it again, or use an earlier checkpoint',
    });
  }
}

function damaged(what: string): LatentWireError {
  return new LatentWireError(`damaged message: ${what}`, { code: 'format', hint: 'send it again' });
}

function opening(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'nothing';
  return `bytes ${Array.from(bytes.subarray(0, 4), (b) => b.toString(16).padStart(2, '0')).join(' ')}`;
}

const hex = (x: number): string => x.toString(16).padStart(8, '0');
