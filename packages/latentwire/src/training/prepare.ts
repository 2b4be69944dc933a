/** Tokenises a dataset once for the encoder and for every reader. Contexts shared by questions are done once. */
import type { random } from '@latentwire/torch';
import type { Example } from '../data/index.js';
import type { Tokenizer } from '../models/tokenizer/index.js';
import type { EmbeddingStatistics, TeacherTargets } from '../objective/index.js';
import {
  answerTokens,
  contextTokens,
  type EncoderText,
  encoderInputs,
  headTokens,
  type Reader,
  repeatTokens,
  tailTokens,
} from '../wire/index.js';
import type { Session } from './session.js';

export interface PreparedReader {
  readonly reader: Reader;
  readonly head: Int32Array;
  /** Per example: tokens after the context. */
  readonly tails: readonly Int32Array[];
  /** Per example: answer and stop token; empty arrays when not asked for. */
  readonly targets: readonly Int32Array[];
  /** Per example: the encoded text in the reader's tokens, cut where the encoder's is; null when not asked for. */
  readonly texts: readonly Int32Array[] | null;
  /** For the repetition of texts; null when not asked for. */
  readonly repeat: {
    readonly tail: Int32Array;
    /** Per example: its text, then the stop token. */
    readonly targets: readonly Int32Array[];
  } | null;
  /** Per example: what follows the first part of its text, null for one word; null when not asked for. */
  readonly continuation: readonly (Int32Array | null)[] | null;
  /** The reader's own distributions when it reads the text; null without distillation. */
  readonly teacher: TeacherTargets | null;
  /** null without the manifold term. */
  readonly statistics: EmbeddingStatistics | null;
}

export interface PreparedData {
  readonly examples: readonly Example[];
  /** Per example: text in the encoder's tokens (arrays are shared between questions of a context). */
  readonly contexts: readonly Int32Array[];
  /** Per example: the first part of its text in the encoder's tokens, null for one word; null when not asked for. */
  readonly firstParts: readonly (Int32Array | null)[] | null;
  /** Contexts whose end was cut to fit the encoder. */
  readonly truncatedContexts: number;
  readonly readers: readonly PreparedReader[];
}

/** What batches are composed from: token ids alone, no models. */
export type ComposableReader = Omit<PreparedReader, 'reader' | 'statistics'>;
export type ComposableData = Pick<PreparedData, 'contexts' | 'firstParts'> & {
  readonly readers: readonly ComposableReader[];
};

export interface PrepareOptions {
  readonly encoderTokenizer: Tokenizer;
  readonly readers: readonly Reader[];
  /** Whether latents stand for the context or for context and question. Default: context. */
  readonly encode?: EncoderText;
  /** Longest text in encoder tokens; the end of a longer context is cut. */
  readonly maxContextTokens: number;
  /** null: no targets (evaluation). */
  readonly maxAnswerTokens: number | null;
  /** Also prepare the texts as targets. */
  readonly reconstruction: boolean;
  /** Longest text that is repeated, in reader tokens. Default: `maxContextTokens`. */
  readonly maxReadingTokens?: number;
  /** Also cut texts in two, at places drawn from this stream: the second part continues the first. Default: not. */
  readonly continuation?: random.RandomStream | null;
}

/** What training prepares beside questions and answers. */
export function readingOptions({
  config,
  root,
}: Pick<Session, 'config' | 'root'>): Pick<
  PrepareOptions,
  'reconstruction' | 'maxReadingTokens' | 'continuation'
> {
  const { reconstruction_weight, reconstruction_share, alignment_weight } = config.objective;
  const reconstruction = reconstruction_weight > 0;
  return {
    reconstruction: reconstruction || alignment_weight > 0,
    maxReadingTokens: config.encoder.max_tokens,
    continuation: reconstruction && reconstruction_share < 1 ? root.stream('continuation') : null,
  };
}

/** @param examples Each needs an answer when targets are asked for; unanswerable ones train the empty answer. */
export async function prepareData(
  examples: readonly Example[],
  options: PrepareOptions,
): Promise<PreparedData> {
  const { encoderTokenizer, maxContextTokens, reconstruction, encode = 'context' } = options;
  const inputs = await encoderInputs(examples, encoderTokenizer, encode, maxContextTokens);
  // As far as the encoder reads: what was cut cannot be asked for.
  const { texts } = inputs;
  const parts = options.continuation ? cutTexts(texts, options.continuation) : null;
  const firstParts = parts === null ? null : await encodeFirstParts(parts, options);
  const readers: PreparedReader[] = [];
  for (const reader of options.readers) {
    const own = reconstruction ? await textTokens(reader, texts, options) : null;
    readers.push({
      reader,
      head: await headTokens(reader),
      tails: await tailTokens(
        reader,
        examples.map((e) => (encode === 'context' ? e.question : null)),
      ),
      targets:
        options.maxAnswerTokens === null
          ? []
          : await answerTokens(
              reader,
              examples.map((e) => e.answers[0] ?? ''),
              options.maxAnswerTokens,
            ),
      texts: own,
      repeat:
        own === null
          ? null
          : { tail: await repeatTokens(reader), targets: withStop(own, reader.format.stopIds[0]!) },
      continuation: parts === null ? null : await continuations(reader, parts, options),
      teacher: null,
      statistics: null,
    });
  }
  return { examples, contexts: inputs.tokens, firstParts, truncatedContexts: inputs.truncated, readers };
}

/** Tokens of a text, on average: its encoder's or a reader's, whichever are fewer (a byte encoder has many). */
export function meanTextTokens({ contexts, readers }: PreparedData): number {
  const means = [contexts, ...readers.flatMap((reader) => (reader.texts === null ? [] : [reader.texts]))].map(
    (texts) => texts.reduce((sum, ids) => sum + ids.length, 0) / Math.max(1, texts.length),
  );
  return Math.min(...means);
}

/** The texts in a reader's tokens, as its prompt spells them; one array per distinct text. */
function textTokens(
  reader: Reader,
  texts: readonly string[],
  options: PrepareOptions,
): Promise<readonly Int32Array[]> {
  const limit = options.maxReadingTokens ?? options.maxContextTokens;
  return oncePerText(texts, async (unique) =>
    (await contextTokens(reader, unique)).map((ids) => ids.subarray(0, limit)),
  );
}

/** One array per array: texts that share one go on sharing. */
function withStop(texts: readonly Int32Array[], stop: number): Int32Array[] {
  const done = new Map<Int32Array, Int32Array>();
  return texts.map((ids) => {
    if (!done.has(ids)) done.set(ids, Int32Array.from([...ids, stop]));
    return done.get(ids)!;
  });
}

interface TextParts {
  readonly first: string;
  readonly second: string;
}

/** Cuts each text between two words, somewhere in its middle 40 %. The same text is cut at the same place. */
export function cutTexts(texts: readonly string[], stream: random.RandomStream): (TextParts | null)[] {
  const cuts = new Map<string, TextParts | null>();
  return texts.map((text) => {
    let parts = cuts.get(text);
    if (parts === undefined) {
      const spaces = [...text.matchAll(/\s+/g)].map((match) => match.index).filter((at) => at > 0);
      const share = 0.3 + 0.4 * stream.child(text).uniformAt(0);
      const at = spaces[Math.min(spaces.length - 1, Math.floor(share * spaces.length))];
      parts = at === undefined ? null : { first: text.slice(0, at), second: text.slice(at).trim() };
      cuts.set(text, parts);
    }
    return parts;
  });
}

async function encodeFirstParts(
  parts: readonly (TextParts | null)[],
  options: PrepareOptions,
): Promise<(Int32Array | null)[]> {
  const tokens = await oncePerText(
    parts.map((part) => part?.first ?? ''),
    (texts) => options.encoderTokenizer.encodeBatch(texts, { addSpecialTokens: true }),
  );
  return parts.map((part, i) => (part === null ? null : tokens[i]!.subarray(0, options.maxContextTokens)));
}

async function continuations(
  reader: Reader,
  parts: readonly (TextParts | null)[],
  options: PrepareOptions,
): Promise<(Int32Array | null)[]> {
  const tokens = await textTokens(
    reader,
    parts.map((part) => part?.second ?? ''),
    options,
  );
  return parts.map((part, i) => (part === null ? null : tokens[i]!));
}

async function oncePerText(
  texts: readonly string[],
  encode: (texts: string[]) => Promise<Int32Array[]>,
): Promise<Int32Array[]> {
  const places = new Map<string, number>();
  for (const text of texts) if (!places.has(text)) places.set(text, places.size);
  const encoded = await encode([...places.keys()]);
  return texts.map((text) => encoded[places.get(text)!]!);
}
