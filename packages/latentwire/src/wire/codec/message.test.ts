import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatentWireError } from '../../errors.js';
import { decodeMessage, encodeMessage, type Latents, messageBytes } from './message.js';
import { mutateMessage } from './mutation.fixture.js';
import { PRECISIONS, type Quantisation, quantisation } from './quantisation.js';
import { dequantise, quantise } from './quantise.js';
import { type WireId, wireIdOf } from './wire-id.js';

const wire = wireIdOf(['a wire']);
const other = wireIdOf(['another wire']);

const spec = fc
  .record({ bits: fc.constantFrom(...PRECISIONS), group: fc.constantFrom(0, 1, 5, 32, 300) })
  .map(({ bits, group }) => quantisation(bits, group));

/** Any finite floats: ordinary latents, and bit patterns up to the limits of float32. */
const latents: fc.Arbitrary<Latents> = fc
  .record({ count: fc.integer({ min: 1, max: 12 }), width: fc.integer({ min: 1, max: 40 }) })
  .chain(({ count, width }) => {
    const number = fc.oneof(
      fc.float({ min: -4, max: 4, noNaN: true }),
      fc.float({ noNaN: true, noDefaultInfinity: true }),
    );
    const values = fc.array(number, { minLength: count * width, maxLength: count * width });
    return values.map((v) => ({ count, width, values: Float32Array.from(v) }));
  });

const patterns = (values: Float32Array): number[] => [...new Uint32Array(values.slice().buffer)];

function failureOf(bytes: Uint8Array, expected: WireId | null = null): LatentWireError {
  try {
    decodeMessage(bytes, expected);
  } catch (error) {
    if (error instanceof LatentWireError) return error;
    throw error;
  }
  throw new Error('the message was accepted');
}

describe('encodeMessage and decodeMessage', () => {
  it('bring back exactly the quantised latents, their shape and settings (property)', () => {
    fc.assert(
      fc.property(latents, spec, (original, q) => {
        const message = decodeMessage(encodeMessage(original, { quantisation: q, wire }), wire);
        const quantised = dequantise(quantise(original.values, original.width, q), original.width, q);
        expect(patterns(message.latents.values)).toEqual(patterns(quantised));
        expect(message.latents).toMatchObject({ count: original.count, width: original.width });
        expect(message).toMatchObject({ quantisation: q, wire });
      }),
      { numRuns: 300 },
    );
  });

  it('take exactly the bytes that messageBytes states (property)', () => {
    fc.assert(
      fc.property(latents, spec, (original, q) => {
        const { length } = encodeMessage(original, { quantisation: q, wire });
        expect(length).toBe(messageBytes(q, original.count, original.width));
      }),
    );
  });

  it('keep floats of 32 bits as they are', () => {
    const values = Float32Array.from([0.1, -3e38, 1e-45, 5]);
    const q = quantisation(32, 32);
    const message = decodeMessage(encodeMessage({ count: 2, width: 2, values }, { quantisation: q, wire }));
    expect(patterns(message.latents.values)).toEqual(patterns(values));
  });

  it('cost 14 bytes beside the codes for a small wire without scales', () => {
    expect(messageBytes(quantisation(4, 0), 4, 64)).toBe(14 + 128);
    expect(messageBytes(quantisation(4, 32), 4, 64)).toBe(14 + 8 + 128);
    expect(messageBytes(quantisation(2, 0), 7, 16)).toBe(14 + 28);
  });

  it('read messages that lie inside a larger buffer', () => {
    const bytes = encodeMessage(
      { count: 1, width: 3, values: Float32Array.from([1, -1, 0.25]) },
      { quantisation: quantisation(16, 0), wire },
    );
    const buffer = new Uint8Array(bytes.length + 5);
    buffer.set(bytes, 3);
    const message = decodeMessage(buffer.subarray(3, 3 + bytes.length), wire);
    expect([...message.latents.values]).toEqual([1, -1, 0.25]);
  });

  it('refuse latents that are not finite, or do not fit their shape', () => {
    const encode = (count: number, width: number, values: number[]): Uint8Array =>
      encodeMessage(
        { count, width, values: Float32Array.from(values) },
        { quantisation: quantisation(4, 0), wire },
      );
    expect(() => encode(1, 2, [1, Number.NaN])).toThrow('finite latents, got NaN at number 1');
    expect(() => encode(1, 2, [Number.NEGATIVE_INFINITY, 1])).toThrow('got -Infinity at number 0');
    expect(() => encode(2, 2, [1, 2, 3])).toThrow('got 3 numbers for 2 × 2');
    expect(() => encode(0, 2, [])).toThrow(LatentWireError);
  });
});

describe('a message that is not what the receiver expects', () => {
  const q: Quantisation = quantisation(4, 32);
  const values = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
  const bytes = encodeMessage({ count: 4, width: 16, values }, { quantisation: q, wire });

  it('is refused when another wire wrote it', () => {
    const failure = failureOf(bytes, other);
    expect(failure.message).toBe(`expected a message of wire ${other}, got one of wire ${wire}`);
    expect(failure.hint).toContain('same checkpoint');
  });

  it('is refused when it is no message', () => {
    expect(failureOf(Buffer.from('PK\x03\x04zip')).message).toContain('got bytes 50 4b 03 04');
    expect(failureOf(new Uint8Array(0)).message).toContain('got nothing');
  });

  it('is refused when it was cut, extended or changed', () => {
    expect(failureOf(bytes.subarray(0, -3)).message).toContain(`expected ${bytes.length} bytes`);
    expect(failureOf(Buffer.concat([bytes, Buffer.from([0])])).message).toContain(`got ${bytes.length + 1}`);
    const changed = bytes.slice();
    changed[20]! ^= 1;
    expect(failureOf(changed).message).toContain('expected checksum');
  });

  it('is refused when a later version wrote it', () => {
    const later = bytes.slice();
    later[2]! += 16;
    expect(failureOf(later).message).toBe('expected a message of version 1, got version 2');
  });

  it('is rejected with a clear error after each of 10,000 mutations, whatever they hit', () => {
    const formats = [quantisation(4, 0), quantisation(6, 32), quantisation(8, 7), quantisation(16, 0)];
    const originals = formats.flatMap((f) =>
      [1, 4, 9].map((count) =>
        encodeMessage({ count, width: 7, values: values.slice(0, count * 7) }, { quantisation: f, wire }),
      ),
    );
    let identical = 0;
    const seen = new Set<string>();
    for (let i = 0; i < 10_000; i++) {
      const original = originals[i % originals.length]!;
      const mutant = mutateMessage(original, originals, i);
      if (originals.some((o) => Buffer.compare(o, mutant) === 0)) {
        identical++;
        continue;
      }
      const failure = failureOf(mutant, wire);
      expect(failure.code).toBe('format');
      expect(failure.hint).toBeTruthy();
      seen.add(
        /checksum|bytes for|version|"LW"|precision|number of|width|group|header/.exec(failure.message)![0],
      );
    }
    // Splices may put two halves together as they were; little else can.
    expect(identical).toBeLessThan(200);
    expect([...seen].sort()).toEqual(
      [
        '"LW"',
        'bytes for',
        'checksum',
        'group',
        'header',
        'number of',
        'precision',
        'version',
        'width',
      ].sort(),
    );
  });
});
