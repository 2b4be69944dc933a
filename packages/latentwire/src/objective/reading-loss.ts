/**
 * Cross-entropy of many supervised tokens in pieces that fit into memory. Logits of 64 whole texts over a vocabulary of
 * 262,144 are 11 GB in bf16, and autograd would keep them three times, twice in fp32. Here the gradient with respect to
 * the hidden states is made along with the value, piece by piece, and the logits are dropped at once (the idea of Liger's
 * fused linear cross-entropy, arXiv 2410.10989). With L = Σ wᵢ·(−log softmax(hᵢWᵀ)[yᵢ]),
 *
 *     ∂L/∂hᵢ = wᵢ · (softmax(hᵢWᵀ) W − W[yᵢ])
 *
 * and Σ ⟨hᵢ, ∂L/∂hᵢ⟩, with the second factor held constant, is a scalar of that gradient.
 */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';
import { type ComposedBatch, indexTensor, NO_ROW } from '../wire/index.js';
import { answerLoss, answerStates } from './answer-loss.js';

/** Most logits that exist at a time: 512 MiB in bf16. */
const PIECE = 2 ** 28;

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
  const { tokens, weight, piece = PIECE } = options;
  return t.scope(() => {
    const { device } = model;
    const n = composed.targetIds.length;
    const hidden = answerStates(model, composed, prefix); // [N, D]
    const real = composed.targetRows.map((row) => (row === NO_ROW ? 0 : 1));
    const { gradient, value } = t.noGrad(() => {
      const targets = indexTensor(composed.targetIds, [n], device);
      const shares = t.fromTypedArray(
        Float32Array.from(real, (r) => r / tokens),
        [n, 1],
        { device },
      );
      const rows = Math.max(1, Math.floor(piece / model.config.vocabSize));
      const gradients: t.Tensor[] = [];
      const losses: t.Tensor[] = [];
      const states = hidden.detach();
      for (let at = 0; at < n; at += rows) {
        const count = Math.min(rows, n - at);
        const part = (x: t.Tensor): t.Tensor => t.narrow(x, 0, at, count);
        const [moved, loss] = t.scope(() => {
          const ids = part(targets);
          const likely = t.softmax(model.logits(part(states)));
          const chosen = t.gather(likely, 1, t.unsqueeze(ids, 1)).to({ dtype: 'float32' });
          const expected = t.matmul(likely, model.weights.head);
          return [
            t.sub(expected, t.embedding(model.weights.head, ids)),
            t.neg(t.log(t.clamp(chosen, LEAST_LIKELY, undefined))),
          ] as const;
        });
        gradients.push(moved);
        losses.push(loss);
      }
      const own = t.mul(t.cat(gradients).to({ dtype: 'float32' }), t.mul(shares, weight));
      return { gradient: own, value: t.sum(t.mul(t.cat(losses), shares)) };
    });
    return { loss: t.sum(t.mul(hidden.to({ dtype: 'float32' }), gradient)), value };
  });
}

/** −log of it is 69 nats: a token that the model holds impossible does not make the mean infinite. */
const LEAST_LIKELY = 1e-30;
