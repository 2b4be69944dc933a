/** Training batches: rows of contexts, and k rows of question and answer for each of them. */
import type { random } from '@latentwire/torch';
import type { FactsExample } from '../data/facts/index.js';
import {
  answerTokens,
  contextTokens,
  headTokens,
  type PromptReader,
  repeatTokens,
  roundUp,
  tailTokens,
} from '../wire/index.js';

/** Loss weight of the tokens of each part; targets weigh 1. */
export interface PartWeights {
  readonly context: number;
  readonly question: number;
}

/** Token rows in host memory, padded on the right, with what each position shall predict. */
export interface HostRows {
  readonly rows: number;
  /** Positions per row. */
  readonly length: number;
  /** [rows·length] */
  readonly ids: Int32Array;
  /** [rows·length] 1 = real token */
  readonly valid: Uint8Array;
  /** [N] flat positions whose next token has a weight, those tokens, and their weights. */
  readonly positions: Int32Array;
  readonly targets: Int32Array;
  readonly weights: Float32Array;
}

export interface FactsBatch {
  readonly contexts: HostRows;
  /** A fixed number of rows per context, in the order of the contexts. */
  readonly questions: HostRows;
  /** Noise on the embeddings of the contexts; absent: none. */
  readonly noise?: ContextNoise;
}

/** Gaussian noise as rows of a fixed table, since a captured step draws nothing itself. */
export interface ContextNoise {
  /** [contexts·length] rows of the table */
  readonly ids: Int32Array;
  /** [contexts] size relative to the embeddings' */
  readonly levels: Float32Array;
}

/** Rows of the table that `ContextNoise` points to. */
export const NOISE_ROWS = 4096;

/** How rows are laid out. */
export interface BatchFormat {
  readonly weights: PartWeights;
  /** Lengths are rounded up to a multiple of it, so that few shapes are needed; 1: not at all. */
  readonly multiple: number;
}

/** Longest target in tokens; far beyond any context here. */
const MAX_TARGET = 1024;
/** Asks for the facts in other words. Only pretraining does, so it is no part of the prompt format. */
const RETELL_TAIL = '\nRetell the context.\n';

/** Rows [BOS head context], and rows [tail answer EOS] of up to `questions` questions each, as many for every context. */
export async function answerBatch(
  reader: PromptReader,
  examples: readonly FactsExample[],
  questions: number,
  format: BatchFormat,
): Promise<FactsBatch> {
  const asked = examples.flatMap(({ qa }) => Array.from({ length: questions }, (_, q) => qa[q % qa.length]!));
  const [tails, answers] = await Promise.all([
    tailTokens(
      reader,
      asked.map(({ question }) => question),
    ),
    answerTokens(
      reader,
      asked.map(({ answer }) => answer),
      MAX_TARGET,
    ),
  ]);
  return {
    contexts: await contextRows(reader, examples, format),
    questions: padRows(
      asked.map((_, i) => [part(tails[i]!, format.weights.question), part(answers[i]!, 1)]),
      format.multiple,
    ),
  };
}

/** Rows [BOS head context], and one row [repeat context EOS] each. */
export async function repeatBatch(
  reader: PromptReader,
  examples: readonly FactsExample[],
  format: BatchFormat,
): Promise<FactsBatch> {
  const texts = examples.map(({ context }) => context);
  return saidBatch(reader, examples, await repeatTokens(reader), texts, format);
}

/** Rows [BOS head context], and one row [retell, the facts in other words and another order, EOS] each. */
export async function retellBatch(
  reader: PromptReader,
  examples: readonly FactsExample[],
  format: BatchFormat,
): Promise<FactsBatch> {
  const [tail] = await reader.tokenizer.encodeBatch([RETELL_TAIL], { addSpecialTokens: false });
  const texts = examples.map(({ retold }) => retold);
  return saidBatch(reader, examples, tail!, texts, format);
}

async function saidBatch(
  reader: PromptReader,
  examples: readonly FactsExample[],
  tail: Int32Array,
  texts: readonly string[],
  format: BatchFormat,
): Promise<FactsBatch> {
  const targets = await answerTokens(reader, texts, MAX_TARGET);
  return {
    contexts: await contextRows(reader, examples, format),
    questions: padRows(
      targets.map((target) => [part(tail, format.weights.question), part(target, 1)]),
      format.multiple,
    ),
  };
}

async function contextRows(
  reader: PromptReader,
  examples: readonly FactsExample[],
  format: BatchFormat,
): Promise<HostRows> {
  const head = await headTokens(reader);
  const contexts = await contextTokens(
    reader,
    examples.map(({ context }) => context),
  );
  return padRows(
    contexts.map((ids) => [part(head, 0), part(ids, format.weights.context)]),
    format.multiple,
  );
}

interface WeightedPart {
  readonly ids: Int32Array;
  readonly weight: number;
}

const part = (ids: Int32Array, weight: number): WeightedPart => ({ ids, weight });

/** Targets that are supervised come in multiples of this many lengths' multiple. */
const TARGETS_PER_MULTIPLE = 64;

function padRows(rows: readonly (readonly WeightedPart[])[], multiple: number): HostRows {
  const longest = Math.max(...rows.map((parts) => parts.reduce((sum, { ids }) => sum + ids.length, 0)));
  const length = roundUp(longest, multiple);
  const ids = new Int32Array(rows.length * length);
  const valid = new Uint8Array(rows.length * length);
  const positions: number[] = [];
  const targets: number[] = [];
  const weights: number[] = [];
  rows.forEach((parts, r) => {
    const start = r * length;
    let at = start;
    for (const { ids: tokens, weight } of parts) {
      for (const token of tokens) {
        ids[at] = token;
        valid[at] = 1;
        if (at > start && weight > 0) {
          positions.push(at - 1);
          targets.push(token);
          weights.push(weight);
        }
        at++;
      }
    }
  });
  // What fills up has no weight.
  while (multiple > 1 && positions.length % (TARGETS_PER_MULTIPLE * multiple) !== 0) {
    positions.push(0);
    targets.push(0);
    weights.push(0);
  }
  return {
    rows: rows.length,
    length,
    ids,
    valid,
    positions: Int32Array.from(positions),
    targets: Int32Array.from(targets),
    weights: Float32Array.from(weights),
  };
}

/** Half of the contexts get none, the others up to `most`. */
export function contextNoise(
  { rows, length }: HostRows,
  draw: random.RandomCursor,
  most: number,
): ContextNoise {
  const levels = Float32Array.from({ length: rows }, () => {
    const level = 2 * draw.nextUniform() - 1;
    return level > 0 ? most * level : 0;
  });
  return { levels, ids: Int32Array.from({ length: rows * length }, () => draw.nextInteger(NOISE_ROWS)) };
}
