import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { TokenCache } from '../data/token-cache/index.js';
import { loadTokenizer } from '../models/tokenizer/index.js';
import { withCache } from './cached-tokenizer.js';

const within = temporaryFolder();
const plain = loadTokenizer(fileURLToPath(new URL('../../assets/tiny-llama', import.meta.url)));

/** A tokenizer that counts its calls, over a cache in `folder`. */
function counting(folder: string, digest = plain.digest) {
  let calls = 0;
  const cache = new TokenCache({
    folder: within(folder),
    limitBytes: 1 << 20,
    onWarning: (message) => {
      throw new Error(message);
    },
  });
  const counted = {
    ...{ vocabSize: plain.vocabSize, special: plain.special, digest },
    decode: plain.decode.bind(plain),
    tokenId: plain.tokenId.bind(plain),
    encodeBatch: (...args: Parameters<typeof plain.encodeBatch>) => {
      calls++;
      return plain.encodeBatch(...args);
    },
  };
  return { tokenizer: withCache(counted, cache, 2), calls: () => calls };
}

describe('a cached tokenizer', () => {
  it('gives the same ids as the plain one, and works once', async () => {
    const texts = ['the lamp', '', 'was lit in Łódź', 'the lamp'];
    const first = counting('same');
    const second = counting('same');
    const expected = await plain.encodeBatch(texts);
    expect(await first.tokenizer.encodeBatch(texts)).toEqual(expected);
    expect(await second.tokenizer.encodeBatch(texts)).toEqual(expected);
    expect([first.calls(), second.calls()]).toEqual([1, 0]);
    expect(await second.tokenizer.decode(expected[0]!)).toBe(await plain.decode(expected[0]!));
  });

  it('keeps other texts, settings and tokenizers apart', async () => {
    const { tokenizer, calls } = counting('apart');
    await tokenizer.encodeBatch(['ab', 'c']);
    await tokenizer.encodeBatch(['a', 'bc']);
    await tokenizer.encodeBatch(['ab', 'c'], { addSpecialTokens: false });
    await tokenizer.encodeBatch(['c', 'ab']);
    expect(calls()).toBe(4);
    const other = counting('apart', 'another tokenizer');
    await other.tokenizer.encodeBatch(['ab', 'c']);
    expect(other.calls()).toBe(1);
  });

  it('goes past the cache for a few texts', async () => {
    const { tokenizer, calls } = counting('few');
    await tokenizer.encodeBatch(['a']);
    await tokenizer.encodeBatch(['a']);
    expect(calls()).toBe(2);
  });
});
