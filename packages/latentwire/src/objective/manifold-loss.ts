/**
 * Manifold statistics: the prefix vectors of a batch should be spread like the rows of the reader's embedding table.
 *
 *   (‖mean(P) − μ‖² + ‖std(P) − σ‖²) / ‖σ‖²
 *
 * mean and standard deviation per dimension over all vectors of the batch; μ, σ those of the table. Dividing by ‖σ‖²
 * makes it free of units: tables of different models have entries from 0.01 to 1. The statistics belong to a batch, so
 * micro-batches average the term, where other terms add up exactly.
 */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';

/** Per dimension over the embedding table, as the decoder's input has it; fp32 [D], on the model's device. */
export interface EmbeddingStatistics {
  readonly mean: t.Tensor;
  readonly std: t.Tensor;
}

/** The statistics live until disposed. */
export function embeddingStatistics(model: LanguageModel): EmbeddingStatistics {
  const { mean, std } = t.scope(() =>
    t.noGrad(() => {
      const table = t.mul(model.weights.embed.to({ dtype: 'float32' }), model.config.embeddingScale);
      return { mean: t.mean(table, [0]), std: t.std(table, [0], 0) };
    }),
  );
  return { mean: t.keep(mean), std: t.keep(std) };
}

/** @param prefix [B, M, D] with at least two vectors @returns a scalar */
export function manifoldLoss(prefix: t.Tensor, { mean, std }: EmbeddingStatistics): t.Tensor {
  return t.scope(() => {
    const vectors = t.reshape(prefix.to({ dtype: 'float32' }), [-1, prefix.size(-1)]);
    const shift = t.sub(t.mean(vectors, [0]), mean);
    // The epsilon keeps the gradient of the root finite where all vectors are equal.
    const spread = t.sub(t.sqrt(t.add(t.variance(vectors, [0], 0), 1e-12)), std);
    const distance = t.add(t.sum(t.square(shift)), t.sum(t.square(spread)));
    return t.div(distance, t.sum(t.square(std)));
  });
}
