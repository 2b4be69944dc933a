/**
 * The key-value section of a GGUF file, with typed access: a getter names the file, the key, what was
 * expected and what is there. Integers that fit a double come as `number`, larger ones as `bigint`.
 *
 * Source: GGUF specification (ggml/docs/gguf.md), `gguf_metadata_value_t`.
 */
import { LatentWireError, nearestName } from '../../errors.js';
import type { HeaderReader } from './header-reader.js';

export type GgufScalar = number | bigint | boolean | string;
export type GgufArray = readonly GgufScalar[] | readonly GgufArray[];
export type GgufValue = GgufScalar | GgufArray;

export const GGUF_VALUE_TYPES = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

export type GgufValueType = keyof typeof GGUF_VALUE_TYPES;

const TYPE_NAMES = Object.keys(GGUF_VALUE_TYPES) as GgufValueType[];
/** Fewest bytes one value of each type takes: bounds an array's length before it is read. */
const MIN_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8] as const;
const MAX_ARRAY_DEPTH = 4;
/** Longest array accepted; merge lists of the largest vocabularies have well under a million entries. */
const MAX_ARRAY_LENGTH = 1 << 22;

export class GgufMetadata {
  constructor(
    readonly path: string,
    readonly entries: ReadonlyMap<string, GgufValue>,
  ) {}

  has(key: string): boolean {
    return this.entries.has(key);
  }

  string(key: string): string {
    return this.optionalString(key) ?? this.#missing(key);
  }

  optionalString(key: string): string | undefined {
    const value = this.entries.get(key);
    if (value === undefined || typeof value === 'string') return value;
    return this.fail(key, 'a string', describe(value));
  }

  number(key: string): number {
    return this.optionalNumber(key) ?? this.#missing(key);
  }

  optionalNumber(key: string): number | undefined {
    const value = this.entries.get(key);
    if (value === undefined || typeof value === 'number') return value;
    return this.fail(key, 'a number', describe(value));
  }

  /** An integer in [min, max]. */
  integer(key: string, min: number, max: number): number {
    return this.optionalInteger(key, min, max) ?? this.#missing(key);
  }

  optionalInteger(key: string, min: number, max: number): number | undefined {
    const value = this.optionalNumber(key);
    if (value === undefined) return undefined;
    if (!Number.isInteger(value) || value < min || value > max) {
      this.fail(key, `an integer in ${min}..${max}`, String(value));
    }
    return value;
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.entries.get(key);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(key, 'true or false', describe(value));
  }

  strings(key: string): readonly string[] {
    return this.optionalStrings(key) ?? this.#missing(key);
  }

  optionalStrings(key: string): readonly string[] | undefined {
    return this.#array(key, 'string', 'an array of strings') as readonly string[] | undefined;
  }

  optionalNumbers(key: string): readonly number[] | undefined {
    return this.#array(key, 'number', 'an array of numbers') as readonly number[] | undefined;
  }

  optionalBooleans(key: string): readonly boolean[] | undefined {
    return this.#array(key, 'boolean', 'an array of booleans') as readonly boolean[] | undefined;
  }

  fail(key: string, expected: string, got: string): never {
    throw new LatentWireError(`${this.path}: metadata '${key}': expected ${expected}, got ${got}`, {
      code: 'format',
      hint: 'the file is damaged or was written by an incompatible converter',
    });
  }

  #array(
    key: string,
    type: 'string' | 'number' | 'boolean',
    expected: string,
  ): readonly unknown[] | undefined {
    const value = this.entries.get(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.fail(key, expected, describe(value));
    const stranger = value.findIndex((item) => typeof item !== type);
    if (stranger >= 0) this.fail(key, expected, `${describe(value[stranger])} at index ${stranger}`);
    return value;
  }

  #missing(key: string): never {
    const near = nearestName(key, this.entries.keys());
    throw new LatentWireError(`${this.path}: metadata '${key}': expected a value, got none`, {
      code: 'format',
      hint: near === undefined ? 'the file lacks a required key' : `the nearest key in the file is '${near}'`,
    });
  }
}

function describe(value: GgufValue): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'string' ? `the string '${value.slice(0, 40)}'` : `${typeof value} ${value}`;
}

/** Reads one value of type `type` (and, for arrays, its element type and count) at the reader's position. */
export function readGgufValue(reader: HeaderReader, type: number, field: string, depth = 0): GgufValue {
  switch (TYPE_NAMES[type]) {
    case 'uint8':
      return reader.u8(field);
    case 'int8':
      return reader.i8(field);
    case 'uint16':
      return reader.u16(field);
    case 'int16':
      return reader.i16(field);
    case 'uint32':
      return reader.u32(field);
    case 'int32':
      return reader.i32(field);
    case 'float32':
      return reader.f32(field);
    case 'bool':
      return readBool(reader, field);
    case 'string':
      return reader.string(field);
    case 'array':
      return readArray(reader, field, depth);
    case 'uint64':
      return narrow(reader.u64(field));
    case 'int64':
      return narrow(reader.i64(field));
    case 'float64':
      return reader.f64(field);
    default:
      return reader.fail(`type of ${field}`, 'a value type in 0..12', String(type));
  }
}

function readBool(reader: HeaderReader, field: string): boolean {
  const byte = reader.u8(field);
  if (byte > 1) reader.fail(field, 'a bool (0 or 1)', String(byte));
  return byte === 1;
}

function readArray(reader: HeaderReader, field: string, depth: number): GgufArray {
  if (depth >= MAX_ARRAY_DEPTH) reader.fail(field, `arrays nested at most ${MAX_ARRAY_DEPTH} deep`, 'more');
  const type = reader.u32(`element type of ${field}`);
  const bytes = MIN_BYTES[type];
  if (bytes === undefined) {
    return reader.fail(`element type of ${field}`, 'a value type in 0..12', String(type));
  }
  const count = reader.count(bytes, `length of ${field}`);
  if (count > MAX_ARRAY_LENGTH) {
    reader.fail(`length of ${field}`, `at most ${MAX_ARRAY_LENGTH}`, String(count));
  }
  const values: GgufValue[] = [];
  for (let i = 0; i < count; i++) values.push(readGgufValue(reader, type, field, depth + 1));
  return values as GgufArray;
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
