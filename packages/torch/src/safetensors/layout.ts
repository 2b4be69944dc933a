/**
 * The writing side of the format: where each tensor goes and the header that says so. Wider element types come
 * first and the header is padded to 8 bytes, so every tensor is aligned; equal input gives equal bytes, the
 * same bytes as the reference writer for at most one metadata pair (it leaves the order of pairs open).
 */
import { type DType, dtypeBytes } from '../dtype.js';
import { elementTypeOf, layoutRank } from './element-type.js';
import { LENGTH_BYTES, MAX_HEADER_BYTES } from './header.js';

/** Name, dtype and shape of a tensor to be written. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface Layout<Entry extends TensorEntry> {
  /** Length field and JSON, ready to be written. */
  readonly header: Uint8Array;
  /** The entries in file order. */
  readonly entries: readonly Entry[];
  /** Size of the whole file. */
  readonly fileBytes: number;
}

/**
 * Lays out a file.
 *
 * @throws RangeError for a name or metadata that the format cannot hold
 */
export function layOut<Entry extends TensorEntry>(
  tensors: readonly Entry[],
  metadata: Readonly<Record<string, string>> = {},
): Layout<Entry> {
  const entries = [...tensors].sort(
    (a, b) => layoutRank(a.dtype) - layoutRank(b.dtype) || compareUtf8(a.name, b.name),
  );
  // Written by hand rather than from an object, which would move keys that look like integers to the front.
  const members: string[] = [];
  const pairs = Object.entries(metadata);
  if (pairs.length > 0) members.push(`"__metadata__":${metadataJson(pairs)}`);
  let position = 0;
  const names = new Set<string>();
  for (const { name, dtype, shape } of entries) {
    if (name === '__metadata__')
      throw new RangeError("expected a tensor name, got the reserved word '__metadata__'");
    if (names.has(name)) throw new RangeError(`expected tensor names to be unique, got '${name}' twice`);
    names.add(name);
    const end = position + shape.reduce((product, size) => product * size, dtypeBytes(dtype));
    members.push(
      `${quote(name)}:{"dtype":"${elementTypeOf(dtype)}","shape":[${shape}],"data_offsets":[${position},${end}]}`,
    );
    position = end;
  }
  const header = encodeHeader(`{${members.join(',')}}`);
  return { header, entries, fileBytes: header.byteLength + position };
}

function encodeHeader(json: string): Uint8Array {
  const text = Buffer.from(json, 'utf8');
  const length = Math.ceil(text.byteLength / 8) * 8;
  if (length > MAX_HEADER_BYTES) {
    throw new RangeError(`expected a header of at most ${MAX_HEADER_BYTES} bytes, got ${length}`);
  }
  const header = Buffer.alloc(LENGTH_BYTES + length, ' ');
  header.writeBigUInt64LE(BigInt(length), 0);
  text.copy(header, LENGTH_BYTES);
  return header;
}

function metadataJson(pairs: readonly (readonly [string, string])[]): string {
  const sorted = [...pairs].sort(([a], [b]) => compareUtf8(a, b));
  return `{${sorted
    .map(([key, value]) => {
      if (typeof value !== 'string') {
        throw new RangeError(`expected metadata '${key}' to be a string, got ${typeof value}`);
      }
      return `${quote(key)}:${quote(value)}`;
    })
    .join(',')}}`;
}

function quote(text: string): string {
  if (/\p{Surrogate}/u.test(text)) {
    throw new RangeError(`expected valid Unicode, got a lone surrogate in ${JSON.stringify(text)}`);
  }
  return JSON.stringify(text);
}

/** Order of the UTF-8 bytes, which is the order of code points. */
function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
