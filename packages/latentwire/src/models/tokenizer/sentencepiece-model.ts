/**
 * Parser of SentencePiece `tokenizer.model` files: the few fields of the protobuf that define a BPE tokenizer.
 *
 * Source: sentencepiece_model.proto (field numbers and defaults), protobuf wire format.
 */
import { LatentWireError } from '../../errors.js';

/** Kinds of pieces, by their numbers in the file. GGUF files use the same numbers. */
export const PIECE_KINDS = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

export interface SentencePiece {
  readonly text: string;
  /** Merges with a higher score happen first. */
  readonly score: number;
  /** One of PIECE_KINDS. */
  readonly kind: number;
}

export interface SentencePieceModel {
  readonly pieces: readonly SentencePiece[];
  readonly byteFallback: boolean;
  /** A space before every text. */
  readonly addDummyPrefix: boolean;
  readonly unkId: number;
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly padId: number | null;
}

const MODEL_TYPES = ['?', 'unigram', 'BPE', 'word', 'char'];
const BPE = 2;

/**
 * @param source file name for errors.
 * @throws LatentWireError 'format' naming file and field when the bytes are no BPE model this library can run.
 */
export function parseSentencePieceModel(bytes: Uint8Array, source: string): SentencePieceModel {
  const pieces: SentencePiece[] = [];
  let trainer = emptyFields();
  let normalizer = emptyFields();
  const reader = new ProtobufReader(bytes, source);
  reader.each('model', (field, value) => {
    if (field === 1)
      pieces.push(parsePiece(asBytes(value, reader, `pieces.${pieces.length}`), source, pieces.length));
    else if (field === 2)
      trainer = parseFields(asBytes(value, reader, 'trainer_spec'), source, 'trainer_spec');
    else if (field === 3)
      normalizer = parseFields(asBytes(value, reader, 'normalizer_spec'), source, 'normalizer_spec');
  });
  if (pieces.length === 0) reader.fail('pieces', 'at least one', 'none');
  const seen = new Map<string, number>();
  pieces.forEach(({ text }, index) => {
    const before = seen.get(text);
    if (before !== undefined)
      reader.fail(`pieces.${index}`, 'a piece of its own', `'${text}' as piece ${before}`);
    seen.set(text, index);
  });

  const type = trainer.integer(3) ?? 1;
  if (type !== BPE) {
    reader.fail(
      'trainer_spec.model_type',
      'BPE',
      MODEL_TYPES[type] ?? String(type),
      'use the tokenizer.json of this model',
    );
  }
  if ((trainer.integer(24) ?? 0) !== 0)
    reader.fail('trainer_spec.treat_whitespace_as_suffix', 'false', 'true');
  if ((normalizer.integer(4) ?? 1) !== 0)
    reader.fail('normalizer_spec.remove_extra_whitespaces', 'false', 'true');
  if ((normalizer.integer(5) ?? 1) !== 1) reader.fail('normalizer_spec.escape_whitespaces', 'true', 'false');
  const charsMap = normalizer.length(2) ?? 0;
  if (charsMap > 0) {
    reader.fail(
      'normalizer_spec.precompiled_charsmap',
      'none (identity)',
      `${charsMap} bytes`,
      'use the tokenizer.json of this model',
    );
  }
  const id = (number: number, fallback: number, name: string): number | null => {
    const value = trainer.integer(number) ?? fallback;
    if (value >= pieces.length)
      reader.fail(`trainer_spec.${name}`, `an id below ${pieces.length}`, String(value));
    return value < 0 ? null : value;
  };
  const unkId = id(40, 0, 'unk_id') ?? reader.fail('trainer_spec.unk_id', 'an id', '-1');
  return {
    pieces,
    byteFallback: (trainer.integer(35) ?? 0) === 1,
    addDummyPrefix: (normalizer.integer(3) ?? 1) === 1,
    unkId,
    bosId: id(41, 1, 'bos_id'),
    eosId: id(42, 2, 'eos_id'),
    padId: id(43, -1, 'pad_id'),
  };
}

function parsePiece(bytes: Uint8Array, source: string, index: number): SentencePiece {
  let text: string | undefined;
  let score = 0;
  let kind: number = PIECE_KINDS.normal;
  const reader = new ProtobufReader(bytes, source);
  const name = `pieces.${index}`;
  reader.each(name, (field, value) => {
    if (field === 1) text = Buffer.from(asBytes(value, reader, `${name}.piece`)).toString('utf8');
    else if (field === 2) score = asFloat(value, reader, `${name}.score`);
    else if (field === 3) kind = asInteger(value, reader, `${name}.type`);
  });
  if (text === undefined || text === '') return reader.fail(`${name}.piece`, 'a text', 'nothing');
  if (!Number.isFinite(score)) reader.fail(`${name}.score`, 'a finite number', String(score));
  if (kind < 1 || kind > 6) reader.fail(`${name}.type`, 'a number in 1..6', String(kind));
  return { text, score, kind };
}

/** Last value of each field of a message: integers by value, byte fields by length. */
interface Fields {
  integer(field: number): number | undefined;
  length(field: number): number | undefined;
}

function emptyFields(): Fields {
  return { integer: () => undefined, length: () => undefined };
}

function parseFields(bytes: Uint8Array, source: string, name: string): Fields {
  const values = new Map<number, WireValue>();
  const reader = new ProtobufReader(bytes, source);
  reader.each(name, (field, value) => values.set(field, value));
  return {
    integer: (field) => {
      const value = values.get(field);
      return value === undefined ? undefined : asInteger(value, reader, `${name}, field ${field}`);
    },
    length: (field) => {
      const value = values.get(field);
      return value === undefined ? undefined : asBytes(value, reader, `${name}, field ${field}`).length;
    },
  };
}

/** A varint (as a signed 64-bit integer), four or eight raw bytes, or a byte string. */
type WireValue = bigint | { readonly fixed: Uint8Array } | Uint8Array;

function asBytes(value: WireValue, reader: ProtobufReader, field: string): Uint8Array {
  return value instanceof Uint8Array ? value : reader.fail(field, 'bytes', 'a number');
}

function asInteger(value: WireValue, reader: ProtobufReader, field: string): number {
  if (typeof value !== 'bigint') return reader.fail(field, 'an integer', 'bytes');
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : reader.fail(field, 'a small integer', String(value));
}

function asFloat(value: WireValue, reader: ProtobufReader, field: string): number {
  if (typeof value === 'bigint' || value instanceof Uint8Array || value.fixed.length !== 4) {
    return reader.fail(field, 'a 32-bit float', 'something else');
  }
  return new DataView(value.fixed.buffer, value.fixed.byteOffset, 4).getFloat32(0, true);
}

class ProtobufReader {
  #at = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly source: string,
  ) {}

  /** Calls `visit` with number and value of every field of a message that fills the bytes. */
  each(name: string, visit: (field: number, value: WireValue) => void): void {
    while (this.#at < this.bytes.length) {
      const key = Number(BigInt.asUintN(32, this.#varint(name)));
      const field = key >>> 3;
      if (field === 0) this.fail(name, 'a field number above 0', '0');
      visit(field, this.#value(key & 7, `${name}, field ${field}`));
    }
  }

  fail(field: string, expected: string, got: string, hint?: string): never {
    throw new LatentWireError(`${this.source}: ${field}: expected ${expected}, got ${got}`, {
      code: 'format',
      hint: hint ?? 'the file is damaged or no SentencePiece model',
    });
  }

  #value(wireType: number, field: string): WireValue {
    if (wireType === 0) return this.#varint(field);
    if (wireType === 1) return { fixed: this.#bytes(8, field) };
    if (wireType === 5) return { fixed: this.#bytes(4, field) };
    if (wireType === 2) return this.#bytes(Number(BigInt.asUintN(64, this.#varint(field))), field);
    return this.fail(field, 'a wire type of 0, 1, 2 or 5', String(wireType));
  }

  #bytes(count: number, field: string): Uint8Array {
    const left = this.bytes.length - this.#at;
    if (count > left) this.fail(field, `${count} bytes`, `end after ${left}`);
    this.#at += count;
    return this.bytes.subarray(this.#at - count, this.#at);
  }

  #varint(field: string): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.#at];
      if (byte === undefined) this.fail(field, 'a whole number', 'end of data');
      this.#at++;
      value |= BigInt(byte! & 0x7f) << shift;
      if (byte! < 0x80) return BigInt.asIntN(64, value);
    }
    return this.fail(field, 'a number of at most 10 bytes', 'a longer one');
  }
}
