/**
 * Baseline `pooled_embeddings`: the reader's own token embeddings, averaged over M windows of the context and brought to
 * the RMS of the embedding table, as the wire's prefix is. Averages of different vectors are shorter than the vectors;
 * at their own length they score less (docs/LOG.md).
 */
import * as t from '@latentwire/torch';
import { pooledEmbeddings } from '../objective/index.js';
import { headTokens, latentRow, tailTokens } from '../wire/index.js';
import type { BaselineInputs, BaselineRows } from './baseline.js';
import { contextsOf } from './text-rows.js';

export async function pooledEmbeddingRows(inputs: BaselineInputs): Promise<BaselineRows> {
  const { reader, examples, positions } = inputs;
  const contexts = await contextsOf(reader, examples);
  const head = await headTokens(reader);
  const tails = await tailTokens(
    reader,
    examples.map((e) => e.question),
  );
  return {
    rows: tails.map((tail) => latentRow(head, tail)),
    latents: positions,
    prefix: (indices) =>
      t.scope(() => {
        const texts = indices.map((i) => contexts[i]!);
        const pooled = pooledEmbeddings(reader.model, texts, positions);
        return t.noGrad(() => t.mul(t.rmsNorm(pooled), reader.model.embeddingRms));
      }),
    contextPositions: examples.map(() => positions),
  };
}
