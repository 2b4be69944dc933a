/** Weighted cross-entropy of one batch, through the shared-context forward pass. */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/index.js';
import { indexTensor } from '../wire/index.js';
import type { FactsBatch, HostRows } from './batch.js';
import { hiddenStates, type TokenRows } from './shared-context.js';

export interface FactsLoss {
  /** Scalar: Σ w·(−log p) / Σ w over all weighted tokens. */
  readonly total: t.Tensor;
  /** Scalar: mean −log p of the tokens with weight 1 (answers, or the repeated context). */
  readonly target: t.Tensor;
}

/** @param noiseTable [NOISE_ROWS, D], standard normal; needed where the batch asks for noise */
export function factsLoss(
  model: LanguageModel,
  batch: FactsBatch,
  noiseTable: t.Tensor | null = null,
): FactsLoss {
  const { device } = model;
  const parts = [batch.contexts, batch.questions];
  const [contexts, questions] = parts.map((rows) => toDevice(rows, device));
  const hidden = hiddenStates(model, contexts!, questions!, (embeds) =>
    noiseTable === null ? embeds : withNoise(embeds, model, batch, noiseTable),
  );
  const predicting = [hidden.contexts, hidden.questions].map((states, i) => {
    const { positions } = parts[i]!;
    return t.indexSelect(
      t.reshape(states, [-1, states.size(-1)]),
      0,
      indexTensor(positions, [positions.length], device),
    );
  });
  const targets = parts.map((rows) => indexTensor(rows.targets, [rows.targets.length], device));
  const weights = t.cat(
    parts.map((rows) => t.fromTypedArray(rows.weights, [rows.weights.length], { device })),
  );
  const losses = t.crossEntropy(model.logits(t.cat(predicting)), t.cat(targets), { reduction: 'none' });
  const isTarget = t.eq(weights, 1);
  return {
    total: weightedMean(losses, weights),
    target: t.noGrad(() => weightedMean(losses, isTarget)),
  };
}

/** Embeddings [B, T, D] and noise, whose size is measured by that of the embedding table. */
function withNoise(embeds: t.Tensor, model: LanguageModel, batch: FactsBatch, table: t.Tensor): t.Tensor {
  const { ids, levels } = batch.noise!;
  const { rows, length } = batch.contexts;
  return t.add(
    embeds,
    t.noGrad(() => {
      const noise = t.embedding(table, indexTensor(ids, [rows, length], model.device));
      const size = t.sqrt(t.mean(t.mul(model.weights.embed, model.weights.embed)));
      const level = t.fromTypedArray(levels, [rows, 1, 1], { device: model.device });
      return t.mul(noise, t.mul(level, size));
    }),
  );
}

function weightedMean(values: t.Tensor, weights: t.Tensor): t.Tensor {
  return t.div(t.sum(t.mul(values, weights)), t.sum(weights));
}

function toDevice(rows: HostRows, device: t.Device): TokenRows {
  const shape = [rows.rows, rows.length];
  return {
    ids: indexTensor(rows.ids, shape, device),
    valid: t.fromTypedArray(rows.valid, shape, { device }).to({ dtype: 'bool' }),
  };
}
