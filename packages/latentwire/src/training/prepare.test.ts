import { random } from '@latentwire/torch';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutTexts, meanTextTokens, prepareData } from './prepare.js';
import { examples, tinyEvaluation } from './tiny-evaluation.fixture.js';

const stream = new random.RandomRoot(1).stream('continuation');

describe('cutTexts', () => {
  it('cuts between words, loses none, and cuts equal texts alike (property)', () => {
    const word = fc.stringMatching(/^[a-z]{1,6}$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 30 }), (words) => {
        const text = words.join(' ');
        const [parts, again] = cutTexts([text, text], stream);
        expect(again).toBe(parts);
        if (words.length === 1) expect(parts).toBeNull();
        else {
          expect(`${parts!.first} ${parts!.second}`).toBe(text);
          if (words.length > 10) {
            const share = parts!.first.split(' ').length / words.length;
            expect(share).toBeGreaterThan(0.2);
            expect(share).toBeLessThan(0.8);
          }
        }
      }),
    );
  });
});

describe('prepareData', () => {
  const prepare = (more: object) => {
    const { session } = tinyEvaluation();
    return prepareData(examples(), {
      encoderTokenizer: session.encoderTokenizer,
      readers: session.readers,
      maxContextTokens: 64,
      maxAnswerTokens: 8,
      reconstruction: true,
      ...more,
    });
  };

  it('prepares texts, and their second parts behind the first, for every reader', async () => {
    const data = await prepare({ continuation: stream });
    const [reader] = data.readers;
    data.examples.forEach(({ context }, i) => {
      // The letter tokenizer: one token a letter, and the reader's space before the text.
      expect(reader!.texts![i]).toHaveLength(context.trim().length + 1);
      expect([...reader!.repeat!.targets[i]!]).toEqual([...reader!.texts![i]!, 1]);
      const first = data.firstParts![i]!.length;
      expect(first + reader!.continuation![i]!.length).toBe(context.trim().length);
    });
  });

  it('cuts texts that are too long, and no more than asked', async () => {
    const data = await prepare({ maxContextTokens: 10, maxReadingTokens: 6 });
    expect(data.contexts.every((ids) => ids.length <= 10)).toBe(true);
    expect(data.readers[0]!.texts!.every((ids) => ids.length <= 6)).toBe(true);
    expect(data.firstParts).toBeNull();
    expect(meanTextTokens(data)).toBe(6);
  });

  it('leaves the question to the latents when they carry it', async () => {
    const [context, prompt] = [await prepare({}), await prepare({ encode: 'prompt' })];
    const length = (ids: readonly Int32Array[]): number => ids.reduce((sum, { length: n }) => sum + n, 0);
    expect(length(prompt.readers[0]!.tails)).toBeLessThan(length(context.readers[0]!.tails));
    expect(length(prompt.contexts)).toBeGreaterThan(length(context.contexts));
  });
});
