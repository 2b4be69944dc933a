/** What every tokenizer does, whatever file it came from. */
import { describe, expect, it } from 'vitest';
import { LatentWireError } from '../../errors.js';
import type { Tokenizer } from './tokenizer.js';

export interface TokenizerUnderTest {
  readonly load: () => Tokenizer;
  /** Spelling of a special token that the vocabulary has. */
  readonly specialToken: string;
  /** Whether a text gets a BOS. */
  readonly addsBos: boolean;
}

const TEXTS = [
  'Hello world',
  ' leading space',
  'trailing space ',
  'two  spaces\n\nand lines\t',
  "don't I'LL 1234567 3.14",
  '日本語 한국어 العربية',
  '👩🏽‍💻 e\u0301 \ufeff \u200b',
  'nul \u0000 and bell \u0007',
  '',
] as const;

export function describeTokenizer(name: string, subject: TokenizerUnderTest): void {
  describe(`${name} behaves as a tokenizer`, () => {
    const tokenizer = subject.load();
    const bare = { addSpecialTokens: false } as const;

    it('gives texts back exactly', async () => {
      const ids = await tokenizer.encodeBatch(TEXTS, bare);
      expect(await Promise.all(ids.map((row) => tokenizer.decode(row)))).toEqual([...TEXTS]);
    });

    it('encodes a text alone as it does in a batch, in order', async () => {
      const many = Array.from({ length: 1100 }, (_, i) => `${TEXTS[i % TEXTS.length]} ${i}`);
      const together = await tokenizer.encodeBatch(many, bare);
      expect(together).toHaveLength(many.length);
      for (const i of [0, 511, 512, 1099]) {
        expect((await tokenizer.encodeBatch([many[i]!], bare))[0]).toEqual(together[i]);
      }
      expect(await tokenizer.encodeBatch([], bare)).toEqual([]);
    });

    it('yields ids below the vocabulary size', async () => {
      const ids = await tokenizer.encodeBatch(TEXTS, bare);
      expect(Math.max(...ids.flatMap((row) => [...row]))).toBeLessThan(tokenizer.vocabSize);
      expect(Math.min(...ids.flatMap((row) => [...row]))).toBeGreaterThanOrEqual(0);
    });

    it('adds BOS exactly when asked and set up to', async () => {
      const [bareIds] = await tokenizer.encodeBatch(['Hello'], bare);
      const [ids] = await tokenizer.encodeBatch(['Hello']);
      const expected = subject.addsBos ? [tokenizer.special.bosId!, ...bareIds!] : [...bareIds!];
      expect([...ids!]).toEqual(expected);
    });

    it('takes a special token in a text as that token, and leaves it out when decoding', async () => {
      const id = tokenizer.tokenId(subject.specialToken)!;
      const [ids] = await tokenizer.encodeBatch([`a${subject.specialToken}b`], bare);
      expect([...ids!].filter((value) => value === id)).toHaveLength(1);
      expect(await tokenizer.decode(ids!)).not.toContain(subject.specialToken);
      expect(await tokenizer.decode(ids!, { skipSpecialTokens: false })).toContain(subject.specialToken);
    });

    it('names its special tokens by ids of its vocabulary', () => {
      const { bosId, eosIds, padId } = tokenizer.special;
      for (const id of [bosId, padId, ...eosIds]) {
        if (id !== null) expect(id).toBeLessThan(tokenizer.vocabSize);
      }
      expect(eosIds.length).toBeGreaterThan(0);
    });

    it('does not know tokens it does not have', () => {
      expect(tokenizer.tokenId('<|no such token|>')).toBeUndefined();
    });

    it('decodes ids beyond the vocabulary to nothing and refuses what is no id', async () => {
      const [ids] = await tokenizer.encodeBatch(['Hello'], bare);
      expect(await tokenizer.decode([...ids!, tokenizer.vocabSize + 7])).toBe('Hello');
      await expect(tokenizer.decode([...ids!, -100])).rejects.toThrow(LatentWireError);
      await expect(tokenizer.decode([1.5])).rejects.toThrow(/expected token ids, got 1.5 at position 0/);
    });

    it('reads a lone surrogate as U+FFFD', async () => {
      const [lone, replacement] = await tokenizer.encodeBatch(['a\ud800b', 'a\ufffdb'], bare);
      expect(lone).toEqual(replacement);
    });

    it('states a digest', () => {
      expect(tokenizer.digest).toMatch(/^[0-9a-f]{64}$/);
    });
  });
}
