/**
 * Warm-up of encoder and adapter without the reader's layers: each soft-prefix vector is pulled to the mean of the
 * reader's own token embeddings over the same stretch of text. It costs no decoder pass and puts the prefix where the
 * reader can tell words apart; from random prefixes the reconstruction loss does not leave the level of no context
 * (docs/LOG.md).
 */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';
import { pooledEmbeddings } from './pooled-embeddings.js';

/**
 * Mean squared difference of directions (both sides brought to unit RMS), a scalar; 2 for unrelated vectors.
 * @param prefix [B, M, D]
 * @param texts the same texts in the reader's tokens
 */
export function alignmentLoss(
  model: LanguageModel,
  texts: readonly Int32Array[],
  prefix: t.Tensor,
): t.Tensor {
  return t.scope(() => {
    const target = t.noGrad(() => t.rmsNorm(pooledEmbeddings(model, texts, prefix.size(1))));
    return t.mseLoss(t.rmsNorm(prefix.to({ dtype: 'float32' })), target);
  });
}
