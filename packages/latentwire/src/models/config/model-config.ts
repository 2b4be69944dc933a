/**
 * The normalised description of a frozen decoder-only language model. Every family reduces to this; the forward pass
 * (models/decoder) reads nothing else. Parsers from config.json and GGUF metadata stand beside this file.
 */
export type ModelFamily = 'llama' | 'mistral' | 'qwen2' | 'qwen3' | 'gemma3';

/** How rotary frequencies are changed for longer contexts. */
export type RopeScaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear'; readonly factor: number }
  /** Llama 3.1: smooth interpolation by wavelength. */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    };

export interface Rope {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

/** Attention reach of one layer. */
export type LayerAttention = 'full' | 'sliding';

export interface ModelConfig {
  readonly family: ModelFamily;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  readonly rmsNormEps: number;
  readonly activation: 'silu' | 'gelu_tanh';
  /** Rotary embedding of full-attention layers (of all layers outside Gemma 3). */
  readonly rope: Rope;
  /** Rotary embedding of sliding layers (Gemma 3); null = the same as `rope`. */
  readonly localRope: Rope | null;
  /** One entry per layer. */
  readonly layerAttention: readonly LayerAttention[];
  /** Positions a sliding layer sees, itself included; null when no layer slides. */
  readonly slidingWindow: number | null;
  readonly tiedEmbeddings: boolean;
  /** Bias on q, k, v projections (Qwen2). */
  readonly attentionBias: boolean;
  /** RMSNorm on each head of q and k before RoPE (Qwen3, Gemma 3). */
  readonly qkNorm: boolean;
  /** Norm weights are stored as w and used as 1 + w (Gemma). */
  readonly normPlusOne: boolean;
  /** Extra norms after attention and MLP, before the residual add (Gemma). */
  readonly postNorms: boolean;
  /** Embeddings are multiplied by this (Gemma: √hiddenSize); 1 elsewhere. */
  readonly embeddingScale: number;
  /** Attention scores are multiplied by this (1/√headDim; Gemma: 1/√query_pre_attn_scalar). */
  readonly attentionScale: number;
  readonly maxPositions: number;
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
}
