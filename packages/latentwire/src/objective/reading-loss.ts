/** Cross-entropy of whole texts: of many supervised tokens, so that their logits are never there all at once. */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';
import { type ComposedBatch, indexTensor, NO_ROW } from '../wire/index.js';
import { answerLoss, answerStates } from './answer-loss.js';
import { piecewiseNll } from './piecewise-nll.js';

/**
 * As `answerLoss`, but `loss` serves for its gradient alone: its own value means nothing. On a CPU it is `answerLoss`.
 * @param tokens supervised tokens of the whole optimiser step
 */
export function readingLoss(
  model: LanguageModel,
  composed: ComposedBatch,
  prefix: t.Tensor | null,
  tokens: number,
  weight: number,
): { loss: t.Tensor; value: t.Tensor } {
  if (model.device === 'cpu') return answerLoss(model, composed, prefix, tokens, weight);
  return piecewiseLoss(model, composed, prefix, { tokens, weight });
}

/** @param options.piece most logits at a time */
export function piecewiseLoss(
  model: LanguageModel,
  composed: ComposedBatch,
  prefix: t.Tensor | null,
  options: { readonly tokens: number; readonly weight: number; readonly piece?: number },
): { loss: t.Tensor; value: t.Tensor } {
  const { tokens, weight, piece } = options;
  return t.scope(() => {
    const { device } = model;
    const n = composed.targetIds.length;
    const targets = indexTensor(composed.targetIds, [n], device);
    const real = Float32Array.from(composed.targetRows, (row) => (row === NO_ROW ? 0 : 1 / tokens));
    const shares = t.fromTypedArray(real, [n], { device });
    const weights = t.mul(shares, weight);
    const { loss, nll } = piecewiseNll(model, answerStates(model, composed, prefix), targets, weights, piece);
    return { loss, value: t.noGrad(() => t.sum(t.mul(nll, shares))) };
  });
}
