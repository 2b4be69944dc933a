/** Tokenises a dataset once for the encoder and for every reader. Contexts shared by questions are done once. */
import type { Example } from '../data/index.js';
import type { Tokenizer } from '../models/tokenizer/index.js';
import { answerTokens, headTokens, type Reader, repeatTokens, tailTokens } from '../wire/index.js';

export interface PreparedReader {
  readonly reader: Reader;
  readonly head: Int32Array;
  /** Per example: tokens after the context. */
  readonly tails: readonly Int32Array[];
  /** Per example: answer and stop token; empty arrays when not asked for. */
  readonly targets: readonly Int32Array[];
  /** For the reconstruction of contexts; null when not asked for. */
  readonly repeat: {
    readonly tail: Int32Array;
    /** Per example: the context in the reader's tokens, cut where the encoder's is; then the stop token. */
    readonly targets: readonly Int32Array[];
  } | null;
}

export interface PreparedData {
  readonly examples: readonly Example[];
  /** Per example: context in the encoder's tokens (arrays are shared between questions of a context). */
  readonly contexts: readonly Int32Array[];
  /** Contexts whose end was cut to fit the encoder. */
  readonly truncatedContexts: number;
  readonly readers: readonly PreparedReader[];
}

export interface PrepareOptions {
  readonly encoderTokenizer: Tokenizer;
  readonly readers: readonly Reader[];
  /** Longest context in encoder tokens; the tail beyond is cut. */
  readonly maxContextTokens: number;
  /** null: no targets (evaluation). */
  readonly maxAnswerTokens: number | null;
  /** Also prepare the contexts as targets. */
  readonly reconstruction: boolean;
}

/** @param examples Each needs an answer when targets are asked for; unanswerable ones train the empty answer. */
export async function prepareData(
  examples: readonly Example[],
  options: PrepareOptions,
): Promise<PreparedData> {
  const { contexts, truncated } = await encodeContexts(examples, options);
  const readers: PreparedReader[] = [];
  for (const reader of options.readers) {
    readers.push({
      reader,
      head: await headTokens(reader),
      tails: await tailTokens(
        reader,
        examples.map((e) => e.question),
      ),
      targets:
        options.maxAnswerTokens === null
          ? []
          : await answerTokens(
              reader,
              examples.map((e) => e.answers[0] ?? ''),
              options.maxAnswerTokens,
            ),
      repeat: options.reconstruction ? await repeatTargets(reader, examples, options.maxContextTokens) : null,
    });
  }
  return { examples, contexts, truncatedContexts: truncated, readers };
}

async function repeatTargets(
  reader: Reader,
  examples: readonly Example[],
  maxTokens: number,
): Promise<PreparedReader['repeat']> {
  const unique = [...new Map(examples.map((e) => [e.contextId, e.context])).entries()];
  const encoded = await answerTokens(
    reader,
    unique.map(([, context]) => context),
    maxTokens,
  );
  const byId = new Map(unique.map(([id], i) => [id, encoded[i]!]));
  return { tail: await repeatTokens(reader), targets: examples.map((e) => byId.get(e.contextId)!) };
}

async function encodeContexts(
  examples: readonly Example[],
  options: PrepareOptions,
): Promise<{ contexts: Int32Array[]; truncated: number }> {
  const places = new Map<string, number>();
  const unique: string[] = [];
  for (const { contextId, context } of examples) {
    if (places.has(contextId)) continue;
    places.set(contextId, unique.length);
    unique.push(context.trim());
  }
  const encoded = await options.encoderTokenizer.encodeBatch(unique, { addSpecialTokens: true });
  let truncated = 0;
  const cut = encoded.map((ids) => {
    if (ids.length <= options.maxContextTokens) return ids;
    truncated++;
    return ids.slice(0, options.maxContextTokens);
  });
  return { contexts: examples.map((e) => cut[places.get(e.contextId)!]!), truncated };
}
