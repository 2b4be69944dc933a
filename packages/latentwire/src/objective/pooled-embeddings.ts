/** A text as M vectors without any encoder: the mean of the reader's own token embeddings over each window. */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';
import { encoderBatch, indexTensor, type LatentCounts, poolWindows } from '../wire/index.js';

/**
 * Pooled token embeddings [B, max M, D], fp32, without gradient.
 * @param texts token ids of the reader, one array per text
 * @param windows M, for all texts or per text
 * @param multiple of the padded length of texts
 */
export function pooledEmbeddings(
  model: LanguageModel,
  texts: readonly ArrayLike<number>[],
  windows: LatentCounts,
  multiple = 1,
): t.Tensor {
  return t.scope(() =>
    t.noGrad(() => {
      const batch = encoderBatch(texts, multiple);
      const embeds = model.embed(indexTensor(batch.ids, [batch.batch, batch.length], model.device));
      return poolWindows(embeds, batch.lengths, windows).to({ dtype: 'float32' });
    }),
  );
}
