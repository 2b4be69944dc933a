/** Negative log-likelihood and its gradient at once, in place (native/nll_op.h). */
import { op, run } from '../dispatch.js';
import type { Tensor } from '../tensor.js';

const NLL_GRADIENT = op('latentwire::nll_gradient_');

/**
 * −log softmax(logits)[target] of each row, float32 [N]. The logits become the gradient of it, softmax(logits) − onehot(target),
 * computed in float32 and rounded once. Makes no graph of its own.
 * @param logits [N, V] of a floating dtype, contiguous where it is to be fast
 * @param targets int64 [N]
 */
export const nllGradient_ = (logits: Tensor, targets: Tensor): Tensor =>
  run(NLL_GRADIENT, logits.handle, targets.handle);
