/** Gradients that stay where they are. `zeroGrad` drops them; a captured step adds to them at a fixed address. */
import { noGrad } from '../autograd.js';
import { handles, op } from '../dispatch.js';
import { native } from '../native.js';
import { zerosLike } from '../ops/create.js';
import type { Tensor } from '../tensor.js';

const FOREACH_ZERO_ = op('aten::_foreach_zero_');

/** Gives every parameter a gradient of zeros. */
export function allocateGradients(params: Iterable<Tensor>): void {
  noGrad(() => {
    for (const p of params) {
      using zeros = zerosLike(p);
      p.grad = zeros;
    }
  });
}

/** Sets all gradients to zero in place; parameters without one are left alone. */
export function zeroGradients(params: Iterable<Tensor>): void {
  noGrad(() => {
    const grads = [...params].map((p) => p.grad).filter((g) => g !== null);
    if (grads.length > 0) native.callInPlace(FOREACH_ZERO_, handles(grads));
    for (const g of grads) g.dispose();
  });
}
