/**
 * Baselines that read text and train nothing. Each gives the rows that the evaluator generates from, so that they go
 * through the very code that scores latents.
 *
 * - text_only: the whole prompt as the model's own user would send it (the upper reference)
 * - token_budget: the context cut to its first M tokens, question kept (what M positions of plain text are worth)
 * - no_context: the question alone (the lower reference)
 */
import type { Example } from '../data/index.js';
import {
  contextTokens,
  fullPromptTokens,
  headTokens,
  type Reader,
  type Segment,
  tailTokens,
} from '../wire/index.js';

export const textBaselines = ['text_only', 'token_budget', 'no_context'] as const;
export type TextBaseline = (typeof textBaselines)[number];

/** @param budget M, the positions that token_budget may use for the context. */
export async function textBaselineRows(
  kind: TextBaseline,
  reader: Reader,
  examples: readonly Example[],
  budget: number,
): Promise<Segment[][]> {
  if (kind === 'text_only') {
    return (await fullPromptTokens(reader, examples)).map((ids) => [{ kind: 'tokens', ids }]);
  }
  const head = await headTokens(reader);
  const tails = await tailTokens(
    reader,
    examples.map((e) => e.question),
  );
  const contexts =
    kind === 'no_context'
      ? examples.map(() => new Int32Array())
      : (
          await contextTokens(
            reader,
            examples.map((e) => e.context),
          )
        ).map((ids) => ids.subarray(0, budget));
  return examples.map((_, i) => [
    { kind: 'tokens', ids: head },
    { kind: 'tokens', ids: contexts[i]! },
    { kind: 'tokens', ids: tails[i]! },
  ]);
}
