/**
 * Cross-entropy of the answer tokens and the stop token after them. One forward pass of the frozen decoder over
 * [head | latents | tail | answer, stop] gives all logits; they are computed at supervised places only. The logit at a
 * place is scored against the very next token, once: no second shift (the original trained "skip one token").
 */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';
import { batchEmbeddings, type ComposedBatch, indexTensor, targetHidden } from '../wire/index.js';

/** Hidden states that predict the targets, [N, D]; gradients reach `prefix`. */
export function answerStates(
  model: LanguageModel,
  composed: ComposedBatch,
  prefix: t.Tensor | null,
): t.Tensor {
  const { embeds, valid } = batchEmbeddings(composed, (ids) => model.embed(ids), prefix, model.device);
  const hidden = model.hidden(embeds, { valid, rightPadded: composed.padding === 'right' });
  return targetHidden(composed, hidden);
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
 * Sum of −log p over the targets divided by `tokens`, a scalar. With `tokens` the number of targets of the whole
 * optimiser step, micro-batches of any size add up to exactly the gradient of the one big batch.
 */
export function answerLoss(
  model: LanguageModel,
  composed: ComposedBatch,
  prefix: t.Tensor | null,
  tokens: number,
): t.Tensor {
  return t.scope(() => t.div(t.sum(targetLosses(model, composed, prefix)), tokens));
}
