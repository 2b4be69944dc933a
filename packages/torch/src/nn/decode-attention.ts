/**
 * Attention of one new position per row over keys and values that stay at their addresses. Each row has its own length, in
 * device memory: no shape changes from step to step, so a step of generation can be captured as a graph. On CUDA norm,
 * rotation, write into the cache and attention are one kernel (native/decode_op.h); elsewhere torch's operators give the
 * same up to rounding, at the price of looking at the whole capacity.
 */
import { op, run } from '../dispatch.js';
import { native } from '../native.js';
import { arange } from '../ops/create.js';
import { embedding, rmsNorm, scaledDotProductAttention } from '../ops/functional.js';
import { add, copy_, eq, gt, le, logicalAnd, mul, where } from '../ops/pointwise.js';
import { reshape, split, transpose, view } from '../ops/shape.js';
import type { Tensor } from '../tensor.js';
import { fusedKernelsTake, rotate } from './fused.js';

const DECODE = op('latentwire::decode');
const BUILT = native.schema(DECODE) !== '';

/** Keys and values of one layer, [B, Hkv, capacity, d], and how far each row is filled. */
export interface DecodeCache {
  readonly keys: Tensor;
  readonly values: Tensor;
  /** int64 [B]: place of the new position, which is the number of those before it. */
  readonly positions: Tensor;
  /** bool [B]: rows that have ended; the kernel computes nothing for them. */
  readonly ended: Tensor;
}

export interface DecodeOptions {
  /** Tables of all positions [P, d], sin with its first half negated. */
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** [H + Hkv, d] scales of the RMSNorm of queries and keys, or null. */
  readonly norm: Tensor | null;
  readonly eps: number;
  /** Positions that a query sees, itself included; null = all. */
  readonly window: number | null;
  readonly scale: number;
}

/** Whether the kernel takes heads of this width and so many query heads per key head, in the type of `like`. */
export function decodeKernelTakes(like: Tensor, width: number, group: number): boolean {
  return BUILT && fusedKernelsTake(like, width) && [16, 32, 64, 128, 256].includes(width) && group <= 8;
}

/**
 * Joined projections [B, 1, H + 2·Hkv, d] of the new positions -> what their queries attend to, [B, 1, H·d]. Key and value
 * are put into the cache.
 */
export function decodeAttention(qkv: Tensor, cache: DecodeCache, options: DecodeOptions): Tensor {
  const { keys, values, positions, ended } = cache;
  const { cos, sin, norm, eps, window, scale } = options;
  const [batch, kvHeads, capacity, width] = keys.shape as [number, number, number, number];
  const heads = qkv.size(2) - 2 * kvHeads;
  if (decodeKernelTakes(qkv, width, heads / kvHeads) && cos.dtype === qkv.dtype) {
    return run(
      DECODE,
      ...[qkv.handle, norm === null ? null : norm.handle, eps, cos.handle, sin.handle],
      ...[keys.handle, values.handle, positions.handle, ended.handle, window ?? 0, scale],
    );
  }
  const [both, v] = split(qkv, [heads + kvHeads, kvHeads], 2);
  const normed = norm === null ? both! : normalised(both!, norm, eps);
  const at = (table: Tensor): Tensor => view(embedding(table, positions), [batch, 1, 1, width]);
  const [q, k] = split(rotate(normed, at(cos), at(sin)), [heads, kvHeads], 2);
  const places = view(arange(0, capacity, 1, { device: qkv.device }), [1, 1, capacity, 1]);
  const last = view(positions, [batch, 1, 1, 1]);
  const isNew = eq(places, last);
  copy_(keys, where(isNew, transpose(k!, 1, 2), keys));
  copy_(values, where(isNew, transpose(v!, 1, 2), values));
  let seen = le(places, last);
  if (window !== null) seen = logicalAnd(seen, gt(places, add(last, -window)));
  const attended = scaledDotProductAttention(transpose(q!, 1, 2), keys, values, {
    mask: transpose(seen, 2, 3),
    causal: false,
    scale,
    enableGqa: heads !== kvHeads,
  });
  return reshape(transpose(attended, 1, 2), [batch, 1, heads * width]);
}

function normalised(x: Tensor, norm: Tensor, eps: number): Tensor {
  const wide = x.dtype === norm.dtype ? x : x.to({ dtype: norm.dtype });
  return mul(rmsNorm(wide, null, eps), norm).to({ dtype: x.dtype });
}
