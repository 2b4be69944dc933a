/**
 * Cross-entropy of the answer tokens and the stop token after them. One forward pass of the frozen decoder over
 * [head | latents | tail | answer, stop] gives all logits; they are computed at supervised places only. The logit at a
 * place is scored against the very next token, once: no second shift (the original trained "skip one token").
 */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';
import { batchEmbeddings, type ComposedBatch, indexTensor, NO_ROW, targetPlaces } from '../wire/index.js';

/** Hidden states that predict the targets, [N, D]; gradients reach `prefix`. */
export function answerStates(
  model: LanguageModel,
  composed: ComposedBatch,
  prefix: t.Tensor | null,
): t.Tensor {
  const { embeds, valid } = batchEmbeddings(composed, (ids) => model.embed(ids), prefix, model.device);
  return model.hidden(embeds, {
    valid,
    rightPadded: composed.padding === 'right',
    places: targetPlaces(composed, model.device),
  });
}

/** −log p of each target, fp32 [N], in the order of `composed.targetIds`. */
export function targetLosses(
  model: LanguageModel,
  composed: ComposedBatch,
  prefix: t.Tensor | null,
): t.Tensor {
  const logits = model.logits(answerStates(model, composed, prefix)).to({ dtype: 'float32' });
  const targets = indexTensor(composed.targetIds, [composed.targetIds.length], model.device);
  return t.crossEntropy(logits, targets, { reduction: 'none' });
}

/**
 * Σ −log p over the targets times `weight / tokens`, and the same times `1 / tokens` without a graph. With `tokens` the
 * number of targets of the whole optimiser step, micro-batches of any size add up to exactly the gradient of the one big
 * batch.
 * @returns scalars
 */
export function answerLoss(
  model: LanguageModel,
  composed: ComposedBatch,
  prefix: t.Tensor | null,
  tokens: number,
  weight = 1,
): { loss: t.Tensor; value: t.Tensor } {
  return t.scope(() => {
    const losses = targetLosses(model, composed, prefix);
    const n = composed.targetIds.length;
    const padding = composed.targetRows.indexOf(NO_ROW);
    const real = padding < 0 ? n : padding;
    const shares = new Float32Array(2 * n).fill(weight / tokens, 0, real).fill(1 / tokens, n, n + real);
    const sums = t.matmul(t.fromTypedArray(shares, [2, n], { device: model.device }), losses);
    return { loss: t.select(sums, 0, 0), value: t.noGrad(() => t.select(sums, 0, 1)) };
  });
}
