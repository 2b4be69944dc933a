/**
 * What an encoder reads of an example: its context, or the whole prompt (context, then question). A text longer than
 * the encoder's limit loses the end of its context, never any of its question: the original cut its prompts after 512
 * bytes, and with SQuAD that was before the question.
 */
import type { Example } from '../../data/index.js';
import type { Tokenizer } from '../../models/tokenizer/index.js';

/** `context`: latents serve any question, which the reader gets as text. `prompt`: the question travels in them. */
export type EncoderText = 'context' | 'prompt';

export interface EncoderInputs {
  /** Per example: encoder tokens. Arrays are shared between examples of the same text. */
  readonly tokens: readonly Int32Array[];
  /** Examples whose context was cut. */
  readonly truncated: number;
}

/** The text that an example's latents stand for. */
export function encoderText(example: Example, text: EncoderText): string {
  const context = example.context.trim();
  return text === 'context' ? context : context + questionText(example);
}

/** @param limit most tokens per text; a question alone may be longer */
export async function encoderInputs(
  examples: readonly Example[],
  tokenizer: Tokenizer,
  text: EncoderText,
  limit: number,
): Promise<EncoderInputs> {
  const contexts = await encodeOnce(
    examples.map((e) => e.context.trim()),
    (texts) => tokenizer.encodeBatch(texts, { addSpecialTokens: true }),
  );
  if (text === 'context') {
    const cut = new Map<Int32Array, Int32Array>();
    let truncated = 0;
    const tokens = contexts.map((ids) => {
      if (ids.length <= limit) return ids;
      truncated++;
      if (!cut.has(ids)) cut.set(ids, ids.slice(0, limit));
      return cut.get(ids)!;
    });
    return { tokens, truncated };
  }
  const questions = await encodeOnce(examples.map(questionText), (texts) =>
    tokenizer.encodeBatch(texts, { addSpecialTokens: false }),
  );
  let truncated = 0;
  const tokens = contexts.map((context, i) => {
    const question = questions[i]!;
    const room = Math.max(0, limit - question.length);
    if (context.length > room) truncated++;
    return Int32Array.from([...context.subarray(0, room), ...question]);
  });
  return { tokens, truncated };
}

function questionText(example: Example): string {
  const question = example.question.trim();
  return question === '' ? '' : `\nQuestion: ${question}`;
}

/** Encodes each distinct text once. */
async function encodeOnce(
  texts: readonly string[],
  encode: (texts: string[]) => Promise<Int32Array[]>,
): Promise<Int32Array[]> {
  const unique = [...new Set(texts)];
  const encoded = await encode(unique);
  const byText = new Map(unique.map((text, i) => [text, encoded[i]!]));
  return texts.map((text) => byText.get(text)!);
}
