import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Example } from '../../data/index.js';
import { ByteTokenizer } from './byte-tokenizer.js';
import { encoderInputs, encoderText } from './encoder-input.js';

const bytes = new ByteTokenizer();

function example(context: string, question: string): Example {
  return { id: 'id', context, question, answers: ['never read'], title: '', contextId: context };
}

const decoded = (ids: Int32Array): string => Buffer.from(ids).toString('utf8');

describe('encoderInputs', () => {
  it('reads the context alone, once for all its questions', async () => {
    const { tokens, texts, truncated } = await encoderInputs(
      [example(' A text. ', 'Who?'), example(' A text. ', 'What?')],
      bytes,
      'context',
      100,
    );
    expect(decoded(tokens[0]!)).toBe('A text.');
    expect(tokens[1]).toBe(tokens[0]);
    expect(texts).toEqual(['A text.', 'A text.']);
    expect(truncated).toBe(0);
  });

  it('reads the question after the context when the prompt is encoded', async () => {
    const examples = [example('A text.', ' Who? ')];
    const { tokens, texts } = await encoderInputs(examples, bytes, 'prompt', 100);
    expect(decoded(tokens[0]!)).toBe('A text.\nQuestion: Who?');
    expect(texts[0]).toBe(encoderText(examples[0]!, 'prompt'));
  });

  it('cuts the end of a long context, counts it, and says which text was read', async () => {
    const { tokens, texts, truncated } = await encoderInputs(
      [example('0123456789', 'Who?'), example('0123', 'Who?')],
      bytes,
      'context',
      4,
    );
    expect(tokens.map(decoded)).toEqual(['0123', '0123']);
    expect(texts).toEqual(['0123', '0123']);
    expect(truncated).toBe(1);
  });

  it('never cuts the question, however long context or question are (property)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ maxLength: 60 }),
        fc.string({ maxLength: 60 }),
        fc.integer({ min: 1, max: 80 }),
        async (context, question, limit) => {
          const { tokens, truncated } = await encoderInputs(
            [example(context, question)],
            bytes,
            'prompt',
            limit,
          );
          const asked = `\nQuestion: ${question.trim()}`;
          const text = decoded(tokens[0]!);
          expect(text.endsWith(asked)).toBe(true);
          const kept = text.slice(0, text.length - asked.length);
          expect(context.trim().startsWith(kept)).toBe(true);
          expect(truncated).toBe(kept.length < context.trim().length ? 1 : 0);
          if (asked.length <= limit) {
            expect(kept.length).toBe(Math.min(context.trim().length, limit - asked.length));
          } else expect(kept).toBe('');
        },
      ),
      { numRuns: 200 },
    );
  });
});
