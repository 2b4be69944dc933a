/** Gradient clipping by global norm (Pascanu et al. 2013), without waiting for the device. */
import { noGrad } from '../autograd.js';
import { handles, op, runMany } from '../dispatch.js';
import { native } from '../native.js';
import { zeros } from '../ops/create.js';
import { add, clamp, mul, reciprocal } from '../ops/pointwise.js';
import { vectorNorm } from '../ops/reduce.js';
import { stack } from '../ops/shape.js';
import { scope } from '../scope.js';
import type { Tensor } from '../tensor.js';

const FOREACH_NORM = op('aten::_foreach_norm.Scalar');
const FOREACH_MUL_ = op('aten::_foreach_mul_.Tensor');

/**
 * Scales all gradients so that their joint 2-norm is at most maxNorm.
 * @returns the norm before clipping, a scalar tensor on the device (0 when there are no gradients).
 */
export function clipGradNorm(params: Iterable<Tensor>, maxNorm: number): Tensor {
  return noGrad(() =>
    scope(() => {
      const grads = [...params].map((p) => p.grad).filter((g) => g !== null);
      if (grads.length === 0) return zeros([]);
      const total = vectorNorm(stack(runMany(FOREACH_NORM, handles(grads), 2)));
      const coefficient = clamp(mul(reciprocal(add(total, 1e-6)), maxNorm), undefined, 1);
      native.callInPlace(FOREACH_MUL_, handles(grads), coefficient.handle);
      return total;
    }),
  );
}
