/**
 * −log p of many targets in pieces that fit into memory. Logits of 64 whole texts over a vocabulary of 262,144 are 11 GB in
 * bf16, and autograd would keep them three times, twice in fp32. Here the gradient with respect to the hidden states is made
 * along with the values, piece by piece, and the logits are dropped at once (the idea of Liger's fused linear cross-entropy,
 * arXiv 2410.10989). With L = Σ wᵢ·(−log softmax(hᵢWᵀ)[yᵢ]),
 *
 *     ∂L/∂hᵢ = wᵢ · (softmax(hᵢWᵀ) − onehot(yᵢ)) W
 *
 * and Σ ⟨hᵢ, ∂L/∂hᵢ⟩, with the second factor held constant, is a scalar of that gradient.
 */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';

/** Most logits that exist at a time: 512 MiB in bf16. */
const PIECE = 2 ** 28;

export interface PiecewiseNll {
  /** fp32 [N], without a graph */
  readonly nll: t.Tensor;
  /** A scalar with the gradient of Σ weightᵢ·nllᵢ; its own value means nothing. */
  readonly loss: t.Tensor;
}

/**
 * @param hidden states that predict the targets, [N, D]
 * @param targets int64 [N]
 * @param weights fp32 [N]
 * @param piece most logits at a time
 */
export function piecewiseNll(
  model: LanguageModel,
  hidden: t.Tensor,
  targets: t.Tensor,
  weights: t.Tensor,
  piece = PIECE,
): PiecewiseNll {
  return t.scope(() => {
    const { gradient, nll } = t.noGrad(() => {
      const n = hidden.size(0);
      const rows = Math.max(1, Math.floor(piece / model.config.vocabSize));
      const gradients: t.Tensor[] = [];
      const losses: t.Tensor[] = [];
      const states = hidden.detach();
      for (let at = 0; at < n; at += rows) {
        const part = (x: t.Tensor): t.Tensor => t.narrow(x, 0, at, Math.min(rows, n - at));
        const [moved, own] = t.scope(() => {
          const logits = model.logits(part(states));
          const values = t.nn.nllGradient_(logits, part(targets));
          return [t.matmul(logits, model.weights.head), values] as const;
        });
        gradients.push(moved);
        losses.push(own);
      }
      const unweighted = t.cat(gradients).to({ dtype: 'float32' });
      return { gradient: t.mul(unweighted, t.unsqueeze(weights, 1)), nll: t.cat(losses) };
    });
    return { loss: t.sum(t.mul(hidden.to({ dtype: 'float32' }), gradient)), nll };
  });
}
