import { describe, expect, it } from 'vitest';
import { SafetensorsError } from './error.js';
import { parseHeader } from './header.js';

/** A file of `json` and `payload` zero bytes. */
function file(json: string | object, payload = 0, length?: bigint): Uint8Array {
  const text = Buffer.from(typeof json === 'string' ? json : JSON.stringify(json));
  const bytes = Buffer.alloc(8 + text.length + payload);
  bytes.writeBigUInt64LE(length ?? BigInt(text.length), 0);
  text.copy(bytes, 8);
  return bytes;
}

/** A header entry; two float32 numbers at the start of the payload unless told otherwise. */
const entry = (fields: object = {}) => ({ dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields });

function fault(bytes: Uint8Array): SafetensorsError {
  try {
    parseHeader(bytes, 'a.safetensors');
  } catch (error) {
    if (error instanceof SafetensorsError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

describe('parseHeader', () => {
  it('gives metadata and tensors in the order of their bytes', () => {
    const header = parseHeader(
      file({ __metadata__: { format: 'pt' }, b: entry({ data_offsets: [8, 16] }), a: entry() }, 16),
      'a.safetensors',
    );
    expect(header.metadata).toEqual({ format: 'pt' });
    expect([...header.tensors.keys()]).toEqual(['a', 'b']);
    const at = header.payloadOffset;
    expect(header.tensors.get('b')).toEqual({
      name: 'b',
      dtype: 'float32',
      shape: [2],
      byteOffset: at + 8,
      byteLength: 8,
    });
  });

  it('takes scalars, empty tensors, empty files and padding', () => {
    const header = parseHeader(
      file(
        `{"s":${JSON.stringify(entry({ shape: [], data_offsets: [0, 4] }))},` +
          `"e":${JSON.stringify(entry({ shape: [0, 7], data_offsets: [4, 4] }))}}   `,
        4,
      ),
      'a',
    );
    expect(header.tensors.get('s')?.shape).toEqual([]);
    expect(header.tensors.get('e')?.byteLength).toBe(0);
    expect(parseHeader(file('{}'), 'a').tensors.size).toBe(0);
  });

  it.each([
    ['a file shorter than the length field', Buffer.alloc(5), 'header length', /at least 8 bytes, got 5/],
    ['a length beyond the file', file('{}', 0, 3n), 'header length', /between 2 and 2 bytes.*got 3/],
    ['a length beyond 2^53', file('{}', 0, 2n ** 64n - 1n), 'header length', /got 18446744073709551615/],
    ['a zero length', file('{}', 0, 0n), 'header length', /got 0/],
    ['text before the object', file(' {}'), 'header', /starts with '\{', got byte 32/],
    ['broken JSON', file('{"a":'), 'header', /expected JSON/],
    [
      'invalid UTF-8',
      Buffer.concat([
        file('{"    ":{}}').subarray(0, 10),
        Buffer.from([0xc3, 0x28]),
        file('{"    ":{}}').subarray(12),
      ]),
      'header',
      /UTF-8/,
    ],
    ['a repeated tensor', file('{"a":{},"\\u0061":{}}'), 'header', /key "a" occurs twice/],
    ['a repeated field', file('{"a":{"dtype":"F32","dtype":"F16"}}'), 'header', /key "dtype" occurs twice/],
    ['metadata that is no object', file({ __metadata__: [] }), '__metadata__', /object of strings, got \[\]/],
    [
      'metadata that is no text',
      file({ __metadata__: { n: 1 } }),
      '__metadata__.n',
      /expected a string, got 1/,
    ],
    ['bytes after the last tensor', file({ a: entry() }, 9), 'file size', /bytes by the header/],
    ['bytes without tensors', file('{}', 1), 'file size', /bytes by the header/],
  ] as const)('refuses %s', (_, bytes, field, message) => {
    const error = fault(bytes);
    expect(error.message).toMatch(message);
    expect(error).toMatchObject({ file: 'a.safetensors', tensor: undefined, field });
  });

  it.each([
    ['an entry that is no object', 7, undefined, /expected an object/],
    ['a null entry', null, undefined, /expected an object.*got null/],
    ['a missing dtype', entry({ dtype: undefined }), 'dtype', /got nothing/],
    ['an unknown dtype', entry({ dtype: 'f32' }), 'dtype', /expected one of I64, .* got "f32"/],
    ['an 8-bit float', entry({ dtype: 'F8_E4M3' }), 'dtype', /F8_E4M3 is unsupported; convert/],
    ['an inherited name as dtype', entry({ dtype: 'constructor' }), 'dtype', /got "constructor"/],
    ['a shape that is no array', entry({ shape: 2 }), 'shape', /array of sizes, got 2/],
    ['a missing shape', entry({ shape: undefined }), 'shape', /got nothing/],
    ['a negative size', entry({ shape: [1, -2] }), 'shape[1]', /got -2/],
    ['a fractional size', entry({ shape: [1.5] }), 'shape[0]', /got 1.5/],
    ['a size beyond 2^53', entry({ shape: [2 ** 53] }), 'shape[0]', /whole number/],
    ['a size that is text', entry({ shape: ['2'] }), 'shape[0]', /got "2"/],
    ['sizes whose product overflows', entry({ shape: [2 ** 40, 2 ** 40, 0] }), 'shape', /too many elements/],
    ['one offset', entry({ data_offsets: [0] }), 'data_offsets', /\[begin, end\]/],
    ['three offsets', entry({ data_offsets: [0, 8, 8] }), 'data_offsets', /\[begin, end\]/],
    ['missing offsets', entry({ data_offsets: undefined }), 'data_offsets', /got nothing/],
    ['negative offsets', entry({ data_offsets: [-8, 0] }), 'data_offsets', /whole numbers/],
    ['offsets the wrong way round', entry({ data_offsets: [8, 0] }), 'data_offsets', /begin ≤ end/],
    [
      'a range too long for the shape',
      entry({ data_offsets: [0, 12] }),
      'data_offsets',
      /expected 8 bytes for shape \[2\] of float32, got 12/,
    ],
    [
      'a range beyond the file',
      entry({ shape: [4], data_offsets: [0, 16] }),
      'data_offsets',
      /end ≤ 8, .* got 16/,
    ],
    [
      'a hole at the start',
      entry({ shape: [1], data_offsets: [4, 8] }),
      'data_offsets',
      /begin at 0, .* got 4/,
    ],
  ] as const)('refuses %s', (_, value, field, message) => {
    const error = fault(file({ a: value }, 8));
    expect(error.message).toMatch(message);
    expect(error).toMatchObject({ file: 'a.safetensors', tensor: 'a', field });
  });

  it('refuses overlaps and holes between tensors, naming the tensor', () => {
    const second = (begin: number) =>
      file({ a: entry(), b: entry({ data_offsets: [begin, begin + 8] }) }, 20);
    expect(fault(second(4))).toMatchObject({ tensor: 'b', field: 'data_offsets' });
    expect(fault(second(4)).message).toMatch(/byte 4 belongs to tensor 'a' too/);
    expect(fault(second(12)).message).toMatch(/expected to begin at 8, .* got 12/);
    expect(fault(second(0)).message).toMatch(/byte 0 belongs to tensor 'a' too/);
  });

  it('refuses a name that has no UTF-8 form', () => {
    expect(fault(file('{"\\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}')).message).toMatch(
      /Unicode/,
    );
  });
});
