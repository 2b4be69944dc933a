import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteTokenizer } from './byte-tokenizer.js';

const bytes = new ByteTokenizer();

describe('ByteTokenizer', () => {
  it('is UTF-8: every text comes back whole (property)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }), async (texts) => {
        const ids = await bytes.encodeBatch(texts);
        for (const [i, text] of texts.entries()) {
          expect([...ids[i]!]).toEqual([...Buffer.from(text)]);
          expect(await bytes.decode(ids[i]!)).toBe(text);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('keeps a byte order mark, and spells what is no text as U+FFFD', async () => {
    expect(await bytes.decode((await bytes.encodeBatch(['\uFEFFa']))[0]!)).toBe('\uFEFFa');
    expect(await bytes.decode((await bytes.encodeBatch(['\uD800']))[0]!)).toBe('\uFFFD');
    expect(await bytes.decode([0xc3])).toBe('\uFFFD');
  });

  it('yields nothing for ids beyond the vocabulary and refuses what is no id', async () => {
    expect(await bytes.decode([72, 256, 105])).toBe('Hi');
    await expect(bytes.decode([-1])).rejects.toThrow(/token ids to be integers ≥ 0, got -1/);
  });

  it('knows the byte of an ASCII character', () => {
    expect(bytes.tokenId('A')).toBe(65);
    expect(bytes.tokenId('é')).toBeUndefined();
    expect(bytes.tokenId('ab')).toBeUndefined();
  });
});
