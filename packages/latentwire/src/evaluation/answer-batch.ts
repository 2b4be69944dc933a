/** One batch of questions put to one model: free answers, and how likely it finds the gold ones. */
import * as t from '@latentwire/torch';
import { type AnswerSource, pick } from './answer-source.js';
import { cleanAnswer, generateTokens } from './generate-answers.js';
import { answerLikelihoods, type Likelihood } from './likelihood.js';

export interface BatchRequest {
  /** Rows of the source. */
  readonly indices: readonly number[];
  readonly maxNewTokens: number;
  /** See `Task.multiline`. */
  readonly multiline: boolean;
  /** Gold answer and stop token of each index, for the likelihood alone; null: not measured. */
  readonly targets: readonly Int32Array[] | null;
}

export interface BatchAnswers {
  readonly predictions: readonly string[];
  readonly likelihoods: readonly Likelihood[] | null;
}

export async function answerBatch(source: AnswerSource, request: BatchRequest): Promise<BatchAnswers> {
  const { reader } = source;
  const { indices, targets } = request;
  const latents = pick(source.latents, indices);
  const rows = indices.map((i) => source.rows[i]!);
  const { tokens, likelihoods } = t.scope(() =>
    t.noGrad(() => {
      const prefix = source.prefix?.(indices) ?? null;
      return {
        tokens: generateTokens(reader, { rows, latents, prefix, maxNewTokens: request.maxNewTokens }),
        likelihoods: targets && answerLikelihoods(reader, rows, targets, latents, prefix),
      };
    }),
  );
  const texts = await Promise.all(tokens.map((ids) => reader.tokenizer.decode(ids)));
  return { predictions: texts.map((text) => cleanAnswer(text, request.multiline)), likelihoods };
}
