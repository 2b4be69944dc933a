/**
 * What a baseline hands to the evaluator: the rows it answers from and, for those that read vectors, the soft prefix
 * that goes into them. Nothing here trains; all of them go through the very code that scores latents.
 *
 * - text_only          the whole prompt as the model's own user would send it (the upper reference)
 * - no_context         the question alone (the lower reference)
 * - token_budget       M tokens of the context, question kept: what M positions of plain text are worth
 * - pooled_embeddings  the model's own token embeddings, averaged over M windows: a wire without an encoder
 * - random_projection  the same through a random projection to d_z and back: vectors of the right number, shape and
 *                      size that nothing was trained for
 */
import type * as t from '@latentwire/torch';
import type { Example } from '../data/index.js';
import type { Reader, Segment } from '../wire/index.js';
import { pooledEmbeddingRows } from './pooled-embedding-rows.js';
import { randomProjectionRows } from './random-projection-rows.js';
import { noContextRows, textRows, tokenBudgetRows } from './text-rows.js';

/** Baselines that answer by free generation. */
export const generativeBaselines = [
  'text_only',
  'no_context',
  'token_budget',
  'pooled_embeddings',
  'random_projection',
] as const;
export type GenerativeBaseline = (typeof generativeBaselines)[number];

/** Which tokens of a context a token budget keeps; random ones stay in their order. */
export type BudgetMode = 'first' | 'last' | 'random';

export interface BaselineInputs {
  readonly reader: Reader;
  readonly examples: readonly Example[];
  /** M: positions that may stand for the context, in tokens or vectors. */
  readonly positions: number;
  readonly budgetMode: BudgetMode;
  /** d_z, the width of the random bottleneck. */
  readonly latentWidth: number;
  readonly root: t.random.RandomRoot;
}

/** The part of a generation request that a baseline decides. */
export interface BaselineRows {
  /** One row per example. */
  readonly rows: readonly (readonly Segment[])[];
  /** Vectors that a `latents` segment of a row stands for; 0 when rows hold text only. */
  readonly latents: number;
  /** Soft prefix [n, latents, d_model] of the rows with these indices; null when rows hold text only. */
  readonly prefix: ((rowIndices: readonly number[]) => t.Tensor) | null;
  /** Per row: positions that the context takes in the reader's input. */
  readonly contextPositions: readonly number[];
}

const makers: Readonly<Record<GenerativeBaseline, (inputs: BaselineInputs) => Promise<BaselineRows>>> = {
  text_only: textRows,
  no_context: noContextRows,
  token_budget: tokenBudgetRows,
  pooled_embeddings: pooledEmbeddingRows,
  random_projection: randomProjectionRows,
};

/** Rows of one baseline for one reader. The same for the same inputs; gold answers are not read. */
export function baselineRows(kind: GenerativeBaseline, inputs: BaselineInputs): Promise<BaselineRows> {
  return makers[kind](inputs);
}
