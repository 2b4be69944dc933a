/** A text as M vectors without any encoder: the mean of the reader's own token embeddings over each window. */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';
import { encoderBatch, indexTensor, poolWindows } from '../wire/index.js';

/**
 * Pooled token embeddings [B, M, D], fp32, without gradient.
 * @param texts token ids of the reader, one array per text
 */
export function pooledEmbeddings(
  model: LanguageModel,
  texts: readonly ArrayLike<number>[],
  windows: number,
): t.Tensor {
  return t.scope(() =>
    t.noGrad(() => {
      const batch = encoderBatch(texts);
      const embeds = model.embed(indexTensor(batch.ids, [batch.batch, batch.length], model.device));
      return poolWindows(embeds, batch.lengths, windows).to({ dtype: 'float32' });
    }),
  );
}
