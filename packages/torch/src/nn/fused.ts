/**
 * The element-wise stretches of a decoder layer. On CUDA each is one kernel of our own (native/fused_ops.h), which reads
 * and writes its tensors once; elsewhere, and for shapes and trained weights the kernels do not take, the same values
 * come from torch's operators. Rounding differs by at most one unit in the last place of the tensor's type.
 */
import { op, run, runMany } from '../dispatch.js';
import { native } from '../native.js';
import { rmsNorm } from '../ops/functional.js';
import { add, addcmul, gelu, mul, silu } from '../ops/pointwise.js';
import { chunk, roll, split, transpose } from '../ops/shape.js';
import type { Tensor } from '../tensor.js';

const GATED = op('latentwire::gated');
const ROTARY = op('latentwire::rotary');
const ADD_NORM = op('latentwire::add_norm');
const BUILT = native.schema(GATED) !== '';
const TYPES: ReadonlySet<string> = new Set(['float32', 'bfloat16', 'float16']);

let enabled = true;

/** Turns the fused kernels off, to compare with torch's own operators. @returns the setting before */
export function setFusedKernels(on: boolean): boolean {
  const before = enabled;
  enabled = on;
  return before;
}

/** Whether our kernels take rows of this width, in the type and on the device of x. */
export const fusedKernelsTake = (x: Tensor, width: number): boolean =>
  BUILT && enabled && width % 8 === 0 && x.device !== 'cpu' && TYPES.has(x.dtype);

/** activation(gate) · up of x [..., 2·I] = [gate | up] -> [..., I] (Shazeer 2020). */
export function gatedActivation(x: Tensor, activation: 'silu' | 'gelu_tanh'): Tensor {
  if (fusedKernelsTake(x, x.size(-1) / 2)) return run(GATED, x.handle, activation === 'gelu_tanh');
  const [gate, up] = chunk(x, 2, -1);
  return mul(activation === 'silu' ? silu(gate!) : gelu(gate!, 'tanh'), up!);
}

/**
 * Joined projections [B, T, H + 2·Hkv, d] -> q [B, H, T, d], k and v [B, Hkv, T, d], with q and k rotated (RoPE, half-split).
 * @param cos [1 or B, T, 1, d]
 * @param sin the same shape, its first half negated
 */
export function rotarySplit(
  qkv: Tensor,
  cos: Tensor,
  sin: Tensor,
  heads: number,
  kvHeads: number,
): [q: Tensor, k: Tensor, v: Tensor] {
  const width = qkv.size(-1);
  if (fusedKernelsTake(qkv, width / 2) && cos.dtype === qkv.dtype) {
    const parts = runMany(ROTARY, qkv.handle, cos.handle, sin.handle, heads, kvHeads);
    return parts.map((part) => transpose(part, 1, 2)) as [Tensor, Tensor, Tensor];
  }
  const [rotated, v] = split(qkv, [heads + kvHeads, kvHeads], 2);
  const [q, k] = split(transpose(rotate(rotated!, cos, sin), 1, 2), [heads, kvHeads], 1);
  return [q!, k!, transpose(v!, 1, 2)];
}

/** x [..., d] turned by the angles of its positions. */
export function rotate(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  // Rolling by half a head swaps the halves; with the signed sine this is rotate_half in one kernel.
  return addcmul(mul(x, cos), roll(x, x.size(-1) / 2, -1), sin);
}

/**
 * Residual add and RMSNorm (Zhang & Sennrich 2019): x [..., D], a of the same shape -> [x + a, norm(x + a)].
 * @param a null: nothing is added, and x itself is the first result
 * @param weight [D], in the type of x or in float32, in which the norm is then computed
 */
export function addNorm(
  x: Tensor,
  a: Tensor | null,
  weight: Tensor,
  eps: number,
): [sum: Tensor, normalised: Tensor] {
  const typed = weight.dtype === x.dtype || weight.dtype === 'float32';
  if (typed && fusedKernelsTake(x, x.size(-1)) && !weight.requiresGrad) {
    const [sum, normalised] = runMany(ADD_NORM, x.handle, a === null ? null : a.handle, weight.handle, eps);
    return [sum!, normalised!];
  }
  const sum = a === null ? x : add(x, a);
  if (weight.dtype === x.dtype) return [sum, rmsNorm(sum, weight, eps)];
  return [sum, rmsNorm(sum.to({ dtype: weight.dtype }), weight, eps).to({ dtype: x.dtype })];
}
