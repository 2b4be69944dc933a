/**
 * The tensors of one decoder, in the layout the forward pass wants: q, k, v and gate, up are stored joined, so that
 * each layer runs two matrix products fewer (and their gradients two additions fewer).
 */
import type { Tensor } from '@latentwire/torch';

export interface LayerWeights {
  /**
   * [D] RMSNorm before attention. Gemma's "+1" is already added in all norms here, and its norms stay float32 in a
   * model of lower precision: 1 + w in bf16 would lose the low bits of w (transformers adds in float32 too).
   */
  readonly attnNorm: Tensor;
  /** [(H + 2·Hkv)·d, D] rows of q, then k, then v */
  readonly qkv: Tensor;
  /** [(H + 2·Hkv)·d] (Qwen2), else null */
  readonly qkvBias: Tensor | null;
  /** [H + Hkv, d] per-head norm scale, the q row repeated H times, the k row Hkv times; null without qk norm */
  readonly qkNorm: Tensor | null;
  /** [D, H·d] */
  readonly output: Tensor;
  /** [D] after attention, before the residual add (Gemma), else null */
  readonly postAttnNorm: Tensor | null;
  /** [D] RMSNorm before the MLP */
  readonly ffnNorm: Tensor;
  /** [2·I, D] rows of gate, then up */
  readonly gateUp: Tensor;
  /** [D, I] */
  readonly down: Tensor;
  /** [D] after the MLP (Gemma), else null */
  readonly postFfnNorm: Tensor | null;
}

export interface DecoderWeights {
  /** [V, D] */
  readonly embed: Tensor;
  readonly layers: readonly LayerWeights[];
  /** [D] */
  readonly norm: Tensor;
  /** [V, D]; the very same tensor as `embed` when tied */
  readonly head: Tensor;
}

/** Every distinct tensor with a stable dotted name (tied weights once). */
export function namedWeights(weights: DecoderWeights): Map<string, Tensor> {
  const named = new Map<string, Tensor>([['embed', weights.embed]]);
  weights.layers.forEach((layer, i) => {
    for (const [name, tensor] of Object.entries(layer) as [string, Tensor | null][]) {
      if (tensor !== null) named.set(`layers.${i}.${name}`, tensor);
    }
  });
  named.set('norm', weights.norm);
  if (weights.head !== weights.embed) named.set('head', weights.head);
  return named;
}

/** The same structure with every tensor replaced (tied weights stay tied). */
export function mapWeights(
  weights: DecoderWeights,
  change: (tensor: Tensor, name: string) => Tensor,
): DecoderWeights {
  const embed = change(weights.embed, 'embed');
  return {
    embed,
    layers: weights.layers.map((layer, i) => {
      const entries = (Object.entries(layer) as [keyof LayerWeights, Tensor | null][]).map(
        ([name, tensor]) => [name, tensor === null ? null : change(tensor, `layers.${i}.${name}`)] as const,
      );
      return Object.fromEntries(entries) as unknown as LayerWeights;
    }),
    norm: change(weights.norm, 'norm'),
    head: weights.head === weights.embed ? embed : change(weights.head, 'head'),
  };
}
