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
  /** Per example: the text that the tokens stand for. */
  readonly texts: readonly string[];
  /** Examples whose context was cut. */
  readonly truncated: number;
}

interface EncodedText {
  readonly text: string;
  readonly tokens: Int32Array;
  readonly truncated: boolean;
}

/** The whole text that an example's latents are to stand for. */
export function encoderText(example: Example, what: EncoderText): string {
  return example.context.trim() + (what === 'context' ? '' : questionText(example));
}

/** @param limit most tokens per text; a question alone may be longer */
export async function encoderInputs(
  examples: readonly Example[],
  tokenizer: Tokenizer,
  what: EncoderText,
  limit: number,
): Promise<EncoderInputs> {
  const contexts = await encodeOnce(
    examples.map((e) => e.context.trim()),
    tokenizer,
    true,
  );
  const questions =
    what === 'context' ? null : await encodeOnce(examples.map(questionText), tokenizer, false);
  const inputs = new Map<string, EncodedText>();
  const tokens: Int32Array[] = [];
  const texts: string[] = [];
  let truncated = 0;
  for (const [i, example] of examples.entries()) {
    const context = example.context.trim();
    const question = questions === null ? '' : questionText(example);
    let input = inputs.get(context + question);
    if (input === undefined) {
      input = await join(
        context,
        contexts[i]!,
        question,
        questions?.[i] ?? new Int32Array(),
        tokenizer,
        limit,
      );
      inputs.set(context + question, input);
    }
    tokens.push(input.tokens);
    texts.push(input.text);
    if (input.truncated) truncated++;
  }
  return { tokens, texts, truncated };
}

async function join(
  context: string,
  contextIds: Int32Array,
  question: string,
  questionIds: Int32Array,
  tokenizer: Tokenizer,
  limit: number,
): Promise<EncodedText> {
  const room = Math.max(0, limit - questionIds.length);
  const truncated = contextIds.length > room;
  const kept = contextIds.subarray(0, room);
  return {
    text: (truncated ? await tokenizer.decode(kept) : context) + question,
    tokens: Int32Array.from([...kept, ...questionIds]),
    truncated,
  };
}

function questionText(example: Example): string {
  return `\nQuestion: ${example.question.trim()}`;
}

/** Encodes each distinct text once. */
async function encodeOnce(
  texts: readonly string[],
  tokenizer: Tokenizer,
  addSpecialTokens: boolean,
): Promise<Int32Array[]> {
  const unique = [...new Set(texts)];
  const encoded = await tokenizer.encodeBatch(unique, { addSpecialTokens });
  const byText = new Map(unique.map((text, i) => [text, encoded[i]!]));
  return texts.map((text) => byText.get(text)!);
}
