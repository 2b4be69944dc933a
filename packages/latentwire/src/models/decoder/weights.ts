/**
 * The tensors of one decoder, in the layout the forward pass wants: q, k, v and gate, up are stored joined, so that
 * each layer runs two matrix products fewer (and their gradients two additions fewer).
 */
import type { nn, Tensor } from '@latentwire/torch';

/**
 * Gemma's "+1" is already added in all norms here, and its norms stay float32 in a model of lower precision: 1 + w in bf16
 * would lose the low bits of w (transformers adds in float32 too).
 */
export type LayerWeights = nn.DecoderLayerWeights;

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
