/** Baseline `pooled_embeddings`: the reader's own token embeddings, averaged over M windows of the context. */
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
      pooledEmbeddings(
        reader.model,
        indices.map((i) => contexts[i]!),
        positions,
      ),
    contextPositions: examples.map(() => positions),
  };
}
