import { createHash } from 'node:crypto';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeTokenizer } from './behaviour.fixture.js';
import { adversarialStrings } from './golden/adversarial-strings.js';
import golden from './golden/sentencepiece.json' with { type: 'json' };
import { loadTokenizer } from './load-tokenizer.js';

const model = (name: string) => path.join(import.meta.dirname, 'golden', `${name}.model`);

describe.each(['tiny-prefix', 'tiny-bare'] as const)('the SentencePiece model %s', (name) => {
  const expected = golden[name];

  it('gives the ids of Python sentencepiece', async () => {
    const tokenizer = loadTokenizer(model(name));
    const strings = adversarialStrings(4000).filter(
      (text) => !expected.control.some((token) => text.includes(token)),
    );
    expect(strings).toHaveLength(expected.strings);
    const sha = createHash('sha256');
    for (const row of await tokenizer.encodeBatch(strings, { addSpecialTokens: false })) {
      sha.update(new Uint8Array(Int32Array.of(row.length).buffer));
      sha.update(new Uint8Array(row.buffer, row.byteOffset, row.byteLength));
    }
    expect(sha.digest('hex')).toBe(expected.ids);
    expect(tokenizer.vocabSize).toBe(expected.pieces);
  });
});

it('puts a space before a text, but not after a special token', async () => {
  const tokenizer = loadTokenizer(model('tiny-prefix'));
  const bare = { addSpecialTokens: false };
  const [alone, spaced, around] = await tokenizer.encodeBatch(['e', ' e', 'e[INST]e'], bare);
  expect([...around!]).toEqual([...alone!, tokenizer.tokenId('[INST]'), tokenizer.tokenId('e')]);
  expect([...alone!]).not.toEqual([tokenizer.tokenId('e')]);
  expect(await tokenizer.decode(spaced!)).toBe(' e');
});

describeTokenizer('a SentencePiece model with a space before texts', {
  load: () => loadTokenizer(model('tiny-prefix')),
  specialToken: '[INST]',
  addsBos: true,
});
describeTokenizer('a SentencePiece model without', {
  load: () => loadTokenizer(model('tiny-bare')),
  specialToken: '<mask>',
  addsBos: true,
});
