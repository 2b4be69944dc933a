/** Products of matrices and vectors. */
import { op, run, runMany } from '../dispatch.js';
import { packTensors } from '../list.js';
import type { Tensor } from '../tensor.js';

const MATMUL = op('aten::matmul');
const MM = op('aten::mm');
const BMM = op('aten::bmm');
const ADDMM = op('aten::addmm');
const BADDBMM = op('aten::baddbmm');
const LINEAR = op('aten::linear');
const OUTER = op('aten::outer');
const DOT = op('aten::dot');
const EINSUM = op('aten::einsum');
const QR = op('aten::linalg_qr');

export const matmul = (a: Tensor, b: Tensor): Tensor => run(MATMUL, a.handle, b.handle);
export const mm = (a: Tensor, b: Tensor): Tensor => run(MM, a.handle, b.handle);
export const bmm = (a: Tensor, b: Tensor): Tensor => run(BMM, a.handle, b.handle);
/** beta * c + alpha * a b */
export const addmm = (c: Tensor, a: Tensor, b: Tensor, beta = 1, alpha = 1): Tensor =>
  run(ADDMM, c.handle, a.handle, b.handle, beta, alpha);
export const baddbmm = (c: Tensor, a: Tensor, b: Tensor, beta = 1, alpha = 1): Tensor =>
  run(BADDBMM, c.handle, a.handle, b.handle, beta, alpha);
/** x Wᵀ + bias; x [..., in], weight [out, in], bias [out]. */
export const linear = (x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor =>
  run(LINEAR, x.handle, weight.handle, bias === null ? null : bias.handle);
export const outer = (a: Tensor, b: Tensor): Tensor => run(OUTER, a.handle, b.handle);
export const dot = (a: Tensor, b: Tensor): Tensor => run(DOT, a.handle, b.handle);
export const einsum = (equation: string, tensors: readonly Tensor[]): Tensor =>
  run(EINSUM, equation, packTensors(tensors));
/** Orthonormal factor Q of the reduced QR decomposition. */
export function orthonormal(x: Tensor): Tensor {
  const [q, r] = runMany(QR, x.handle, 'reduced');
  r!.dispose();
  return q!;
}
