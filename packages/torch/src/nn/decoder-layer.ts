/** A whole decoder layer as one operator (native/layer_op.h). */
import type { Device } from '../device.js';
import { handles, op, runMany } from '../dispatch.js';
import { native } from '../native.js';
import type { Tensor } from '../tensor.js';
import { fusedKernelsTake } from './fused.js';

const DECODER_LAYER = op('latentwire::decoder_layer');

/** What a family of models does not have is null. */
export interface DecoderLayerWeights {
  /** [D] RMSNorm before attention; norms are in the type of the others or in float32 */
  readonly attnNorm: Tensor;
  /** [(H + 2·Hkv)·d, D] rows of q, then k, then v */
  readonly qkv: Tensor;
  /** [(H + 2·Hkv)·d] (Qwen2) */
  readonly qkvBias: Tensor | null;
  /** [H + Hkv, d] norm of each head, the q row repeated H times, the k row Hkv times (Qwen3, Gemma 3) */
  readonly qkNorm: Tensor | null;
  /** [D, H·d] */
  readonly output: Tensor;
  /** [D] after attention, before the residual add (Gemma) */
  readonly postAttnNorm: Tensor | null;
  /** [D] RMSNorm before the MLP */
  readonly ffnNorm: Tensor;
  /** [2·I, D] rows of gate, then up */
  readonly gateUp: Tensor;
  /** [D, I] */
  readonly down: Tensor;
  /** [D] after the MLP (Gemma) */
  readonly postFfnNorm: Tensor | null;
}

export interface DecoderLayerOptions {
  /** [1 or B, T, 1, d], in the type of x */
  readonly cos: Tensor;
  /** the same shape, its first half negated */
  readonly sin: Tensor;
  readonly heads: number;
  readonly kvHeads: number;
  readonly eps: number;
  readonly scale: number;
  readonly activation: 'silu' | 'gelu_tanh';
  readonly causal: boolean;
}

let anywhere = false;

/** Least compute capability that flash attention, which the operator calls by itself, takes: Ampere's. */
const FLASH_ATTENTION = 80;
const capabilities = new Map<Device, number>();

function hasFlashAttention(device: Device): boolean {
  const known = capabilities.get(device);
  const capability = known ?? native.computeCapability(device);
  if (known === undefined) capabilities.set(device, capability);
  return capability >= FLASH_ATTENTION;
}

/** Also on the CPU, for tests. @returns the setting before */
export function setWholeLayersAnywhere(on: boolean): boolean {
  const before = anywhere;
  anywhere = on;
  return before;
}

/** Whether the operator takes these activations and weights: in half precision on CUDA; norms of heads and after parts frozen. */
export function decoderLayerTakes(
  x: Tensor,
  w: DecoderLayerWeights,
  { cos, heads, kvHeads }: DecoderLayerOptions,
): boolean {
  const own = [w.qkNorm, w.postAttnNorm, w.postFfnNorm];
  if (cos.dtype !== x.dtype || own.some((norm) => norm?.requiresGrad === true)) return false;
  if (anywhere) return true;
  const headWidth = w.qkv.size(0) / (heads + 2 * kvHeads);
  const half = x.dtype === 'bfloat16' || x.dtype === 'float16';
  const widths = [x.size(-1), headWidth / 2, w.down.size(1)];
  const norms = [w.attnNorm, w.ffnNorm, ...own];
  const typed = norms.every((norm) => norm === null || norm.dtype === x.dtype || norm.dtype === 'float32');
  const taken = widths.every((width) => fusedKernelsTake(x, width)) && headWidth <= 256;
  return half && typed && taken && hasFlashAttention(x.device);
}

/**
 * [residual | delta] -> [residual | delta] of a layer: RMSNorm, attention without a mask beyond the causal one, RMSNorm, gated
 * MLP. The stream is residual + delta, both [B, T, D].
 * @param delta null: 0
 */
export function decoderLayer(
  residual: Tensor,
  delta: Tensor | null,
  w: DecoderLayerWeights,
  o: DecoderLayerOptions,
): [residual: Tensor, delta: Tensor] {
  const optional = (x: Tensor | null) => (x === null ? null : x.handle);
  return runMany(
    DECODER_LAYER,
    residual.handle,
    optional(delta),
    handles([w.attnNorm, w.qkv, w.output, w.ffnNorm, w.gateUp, w.down]),
    optional(w.qkvBias),
    optional(w.qkNorm),
    optional(w.postAttnNorm),
    optional(w.postFfnNorm),
    o.cos.handle,
    o.sin.handle,
    o.heads,
    o.kvHeads,
    o.eps,
    o.scale,
    o.activation === 'gelu_tanh',
    o.causal,
  ) as [Tensor, Tensor];
}
