/** Scores rows of plain text in memory: the short way, for models under construction. Runs go through `answerAll`. */
import type { Example, SquadVersion } from '../data/index.js';
import type { Reader, Segment } from '../wire/index.js';
import { answerBatch } from './answer-batch.js';
import { sourceBatches } from './answer-source.js';
import { scoreAnswer } from './scoring/index.js';

export interface ScoredAnswer {
  readonly id: string;
  readonly prediction: string;
  /** 0 or 1 */
  readonly em: number;
  /** 0 to 1 */
  readonly f1: number;
}

export interface RowScores {
  /** 0 to 1 */
  readonly em: number;
  /** 0 to 1 */
  readonly f1: number;
  readonly n: number;
  readonly answers: readonly ScoredAnswer[];
}

export interface RowEvaluationOptions {
  readonly batchSize: number;
  readonly maxNewTokens: number;
  readonly version: SquadVersion;
}

/** @param rows one per example, ending where the answer begins */
export async function evaluateRows(
  reader: Reader,
  examples: readonly Example[],
  rows: readonly (readonly Segment[])[],
  options: RowEvaluationOptions,
): Promise<RowScores> {
  const source = {
    mode: 'text',
    reader,
    rows,
    latents: 0,
    prefix: null,
    contextPositions: [],
    messageBytes: null,
  } as const;
  const answers = new Array<ScoredAnswer>(examples.length);
  for (const indices of sourceBatches(source, options.batchSize)) {
    const { predictions } = await answerBatch(source, {
      indices,
      maxNewTokens: options.maxNewTokens,
      multiline: false,
      targets: null,
    });
    predictions.forEach((prediction, k) => {
      const example = examples[indices[k]!]!;
      const score = scoreAnswer(prediction, example.answers, options.version);
      answers[indices[k]!] = { id: example.id, prediction, em: score.exactMatch, f1: score.f1 };
    });
  }
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return {
    em: mean(answers.map((a) => a.em)),
    f1: mean(answers.map((a) => a.f1)),
    n: answers.length,
    answers,
  };
}
