/** A frozen model with all that is needed to ask it questions: the receiving end of the wire. */
import type { LanguageModel } from '../models/decoder/index.js';
import type { Tokenizer } from '../models/tokenizer/index.js';
import type { Segment } from './compose.js';
import type { PromptFormat } from './prompt-format.js';

export interface Reader extends PromptReader {
  /** Short name for tables and file keys, unique in a run. */
  readonly name: string;
  readonly model: LanguageModel;
}

/** What puts questions into a model's tokens. */
export interface PromptReader {
  readonly tokenizer: Tokenizer;
  readonly format: PromptFormat;
}

/** Tokens before the context, BOS included, the same for every question. */
export async function headTokens(reader: PromptReader): Promise<Int32Array> {
  const { head } = reader.format.promptText('');
  return withBos(reader, (await encode(reader, [head]))[0]!);
}

/** Tokens after the context for each question; null: the question is in the latents. */
export async function tailTokens(
  reader: PromptReader,
  questions: readonly (string | null)[],
): Promise<Int32Array[]> {
  return encodeWithin(
    reader,
    questions.map((q) => reader.format.promptText(q).tail),
  );
}

/** The context as the reader tokenises it inside its prompt. */
export async function contextTokens(
  reader: PromptReader,
  contexts: readonly string[],
): Promise<Int32Array[]> {
  return encodeWithin(
    reader,
    contexts.map((context) => reader.format.contextText(context)),
  );
}

/** The whole prompt as one text, tokenised in one piece: what a user of the frozen model would send. */
export async function fullPromptTokens(
  reader: PromptReader,
  items: readonly { context: string; question: string }[],
): Promise<Int32Array[]> {
  const texts = items.map(({ context, question }) => {
    const { head, tail } = reader.format.promptText(question);
    return head + reader.format.contextText(context) + tail;
  });
  return (await encode(reader, texts)).map((ids) => withBos(reader, ids));
}

/** Answer tokens followed by the stop token, cut to `maxTokens` answer tokens. */
export async function answerTokens(
  reader: PromptReader,
  answers: readonly string[],
  maxTokens: number,
): Promise<Int32Array[]> {
  const stop = reader.format.stopIds[0]!;
  const texts = answers.map((answer) => reader.format.answerText(answer));
  // Behind a plain prompt the space is part of the text; behind a chat template it is what the tokenizer makes of it.
  const ids = await (reader.format.isChat ? encode(reader, texts) : encodeWithin(reader, texts));
  return ids.map((answer) => Int32Array.from([...answer.subarray(0, maxTokens), stop]));
}

/** Tokens between the latents and a context that is to be repeated. */
export async function repeatTokens(reader: PromptReader): Promise<Int32Array> {
  return (await encodeWithin(reader, [reader.format.repeatText().tail]))[0]!;
}

/** A row with latents in the context's place. */
export function latentRow(head: Int32Array, tail: Int32Array): Segment[] {
  return [{ kind: 'tokens', ids: head }, { kind: 'latents' }, { kind: 'tokens', ids: tail }];
}

function encode(reader: PromptReader, texts: readonly string[]): Promise<Int32Array[]> {
  // Special tokens of chat templates stand in the text; none are added around it.
  return reader.tokenizer.encodeBatch(texts, { addSpecialTokens: false });
}

// A character that no dataset contains and that no token shares with another one.
const MARK = '\uE000';
const marks = new WeakMap<Tokenizer, Promise<number | null>>();

/**
 * Texts that stand in the middle of a prompt. SentencePiece tokenizers (Mistral) put a space before every text they are
 * given, which only the first one of a prompt has.
 */
async function encodeWithin(reader: PromptReader, texts: readonly string[]): Promise<Int32Array[]> {
  const { tokenizer } = reader;
  const known = marks.get(tokenizer) ?? markLength(reader);
  marks.set(tokenizer, known);
  const skipped = await known;
  if (skipped === null) return encode(reader, texts);
  const marked = await encode(
    reader,
    texts.map((text) => MARK + text),
  );
  return marked.map((ids) => ids.subarray(skipped));
}

/** Tokens of the mark before a text; null: the tokenizer takes a text as it is, and needs no mark. */
async function markLength(reader: PromptReader): Promise<number | null> {
  const [alone, mark, marked] = await encode(reader, ['x', MARK, `${MARK}x`]);
  return alone!.join() === marked!.subarray(mark!.length).join() ? null : mark!.length;
}

function withBos(reader: PromptReader, ids: Int32Array): Int32Array {
  const bos = reader.format.bosId;
  if (bos === null || ids[0] === bos) return ids;
  return Int32Array.from([bos, ...ids]);
}
