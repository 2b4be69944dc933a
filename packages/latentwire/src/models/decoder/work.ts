/**
 * Floating-point operations of a decoder pass, as they have to be done: matrix products and attention over real tokens,
 * two operations for each multiplication and addition; padding, norms and whatever is computed twice do not count. It is
 * the count behind "model FLOPs utilisation" (Chowdhery et al. 2022, PaLM, appendix B), with the causal half of attention.
 */
import type { ModelConfig } from '../config/model-config.js';

export interface PassShape {
  /** Real tokens per row. */
  readonly lengths: ArrayLike<number>;
  /** Places whose final states are asked for, of all rows; default: all tokens. */
  readonly places?: number;
  /** Default true. */
  readonly causal?: boolean;
}

/** How often the work of a forward pass is done, its gradients counted. */
export interface PassFactors {
  /** 1 forward; 2 with the gradient of the inputs; 3 with that of the weights too. */
  readonly products: number;
  /** 1 forward; 3 with its gradient, which has four products for the two. */
  readonly attention: number;
}

/** A frozen model that passes the gradient on to what it reads. */
export const FROZEN_WITH_GRADIENT: PassFactors = { products: 2, attention: 3 };
export const TRAINED: PassFactors = { products: 3, attention: 3 };
export const FORWARD_ONLY: PassFactors = { products: 1, attention: 1 };

/** Of the layers, without logits. */
export function decoderFlop(config: ModelConfig, shape: PassShape, factors: PassFactors): number {
  const { hiddenSize: d, heads, kvHeads, headDim, intermediateSize, layers } = config;
  const width = heads * headDim;
  const keysValues = 2 * d * kvHeads * headDim;
  const others = 2 * d * width + 3 * d * intermediateSize;
  const { lengths, causal = true } = shape;
  const rows = Array.from(lengths);
  const tokens = rows.reduce((a, b) => a + b, 0);
  const places = shape.places ?? tokens;
  // The last layer has keys and values of all tokens, and everything else at the asked places only.
  const products = (layers - 1) * (keysValues + others) * tokens + keysValues * tokens + others * places;
  // Where few places are asked for, the attention of the last layer is little and left out.
  const attending = shape.places === undefined ? config.layerAttention : config.layerAttention.slice(0, -1);
  const attention = attending.reduce((sum, kind) => {
    const window = kind === 'sliding' ? (config.slidingWindow ?? Infinity) : Infinity;
    const looks = rows.reduce((n, length) => n + (causal ? causalPairs(length, window) : length ** 2), 0);
    return sum + 2 * width * looks;
  }, 0);
  return 2 * (factors.products * products + factors.attention * attention);
}

/** Of logits at so many places. */
export function logitsFlop(
  { hiddenSize, vocabSize }: ModelConfig,
  places: number,
  factors: PassFactors,
): number {
  return 2 * factors.products * hiddenSize * vocabSize * places;
}

/** Pairs of a position and one that it sees, itself included, at most `window` of them each. */
function causalPairs(length: number, window: number): number {
  const near = Math.min(length, window);
  return (near * (near + 1)) / 2 + Math.max(0, length - near) * near;
}
