/** Scores generated answers with the official SQuAD metrics, for latents and for the text baselines alike. */
import type * as t from '@latentwire/torch';
import type { Example, SquadVersion } from '../data/index.js';
import { encoderBatch, type LatentWire, latentRow, type Reader, type Segment } from '../wire/index.js';
import { generateAnswers } from './generate-answers.js';
import { scoreAnswer } from './scoring/index.js';

export interface ScoredAnswer {
  readonly id: string;
  readonly prediction: string;
  /** 0 or 1 */
  readonly em: number;
  /** 0 to 1 */
  readonly f1: number;
}

export interface ModeResult {
  /** 0 to 1 */
  readonly em: number;
  /** 0 to 1 */
  readonly f1: number;
  readonly n: number;
  /** Mean positions that stand for the context in the reader's input. */
  readonly contextPositions: number;
  readonly answers: readonly ScoredAnswer[];
  readonly seconds: number;
}

export interface EvaluationOptions {
  readonly batchSize: number;
  readonly maxNewTokens: number;
  readonly version: SquadVersion;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Rows of plain text (a baseline) -> scores. */
export async function evaluateRows(
  reader: Reader,
  examples: readonly Example[],
  rows: readonly (readonly Segment[])[],
  contextPositions: number,
  options: EvaluationOptions,
  prefix?: { latents: number; of: (rowIndices: readonly number[]) => t.Tensor },
): Promise<ModeResult> {
  const start = performance.now();
  const answers = await generateAnswers(reader, {
    rows,
    latents: prefix?.latents ?? 0,
    batchSize: options.batchSize,
    maxNewTokens: options.maxNewTokens,
    ...(prefix === undefined ? {} : { prefix: prefix.of }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  const scored = examples.map((example, i): ScoredAnswer => {
    const score = scoreAnswer(answers[i]!, example.answers, options.version);
    return { id: example.id, prediction: answers[i]!, em: score.exactMatch, f1: score.f1 };
  });
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return {
    em: mean(scored.map((s) => s.em)),
    f1: mean(scored.map((s) => s.f1)),
    n: scored.length,
    contextPositions,
    answers: scored,
    seconds: (performance.now() - start) / 1000,
  };
}

/** What the wire evaluation needs of prepared data. */
export interface LatentInputs {
  readonly examples: readonly Example[];
  readonly contexts: readonly Int32Array[];
  readonly head: Int32Array;
  readonly tails: readonly Int32Array[];
}

/** Latents in the context's place -> scores of one reader. */
export function evaluateLatents(
  wire: LatentWire,
  reader: Reader,
  readerIndex: number,
  inputs: LatentInputs,
  latents: number,
  options: EvaluationOptions,
): Promise<ModeResult> {
  const rows = inputs.examples.map((_, i) => latentRow(inputs.head, inputs.tails[i]!));
  return evaluateRows(reader, inputs.examples, rows, latents, options, {
    latents,
    of: (indices) =>
      wire.prefix(wire.encode(encoderBatch(indices.map((i) => inputs.contexts[i]!))), readerIndex),
  });
}
