/**
 * The weights a model of a given config consists of: canonical name, shape, and the name each file format
 * uses. A loader walks this table and finds every tensor it needs, or says which is missing or misshapen.
 *
 * Two GGUF conversions change values and are undone at load (checked against llama.cpp's converter and the
 * GGUF loader of transformers): for architecture `llama` the rows of query and key projections are
 * interleaved, and for Gemma 3 every norm weight is stored as weight + 1.
 */
import { LatentWireError, nearestName } from '../../errors.js';
import type { ModelConfig } from './model-config.js';

export type GgufTransform = 'none' | 'unpermute-q' | 'unpermute-k' | 'minus-one';

export interface WeightSpec {
  /** `embed`, `layers.{i}.q`, … */
  readonly name: string;
  /** Slowest dimension first; a projection is [out, in]. */
  readonly shape: readonly number[];
  /** Name in safetensors files, with the prefix of a plain causal LM. */
  readonly huggingFace: string;
  readonly gguf: string;
  readonly ggufTransform: GgufTransform;
}

/** All weights, embedding first, then layer by layer, then `norm` and (unless tied) `head`. */
export function weightTable(config: ModelConfig): readonly WeightSpec[] {
  const { hiddenSize, vocabSize } = config;
  const norm: GgufTransform = config.normPlusOne ? 'minus-one' : 'none';
  const table: WeightSpec[] = [
    spec('embed', [vocabSize, hiddenSize], 'model.embed_tokens.weight', 'token_embd.weight'),
  ];
  for (let i = 0; i < config.layers; i++) table.push(...layerWeights(config, i));
  table.push(spec('norm', [hiddenSize], 'model.norm.weight', 'output_norm.weight', norm));
  if (!config.tiedEmbeddings)
    table.push(spec('head', [vocabSize, hiddenSize], 'lm_head.weight', 'output.weight'));
  return table;
}

function layerWeights(config: ModelConfig, layer: number): WeightSpec[] {
  const { hiddenSize, intermediateSize, headDim, family } = config;
  const queries = config.heads * headDim;
  const keys = config.kvHeads * headDim;
  const interleaved = family === 'llama' || family === 'mistral';
  const permuteQ: GgufTransform = interleaved ? 'unpermute-q' : 'none';
  const permuteK: GgufTransform = interleaved ? 'unpermute-k' : 'none';
  const norm: GgufTransform = config.normPlusOne ? 'minus-one' : 'none';

  const one = (name: string, shape: number[], huggingFace: string, gguf: string, transform?: GgufTransform) =>
    spec(
      `layers.${layer}.${name}`,
      shape,
      `model.layers.${layer}.${huggingFace}`,
      `blk.${layer}.${gguf}`,
      transform,
    );

  const weights = [
    one('attn_norm', [hiddenSize], 'input_layernorm.weight', 'attn_norm.weight', norm),
    one('q', [queries, hiddenSize], 'self_attn.q_proj.weight', 'attn_q.weight', permuteQ),
    one('k', [keys, hiddenSize], 'self_attn.k_proj.weight', 'attn_k.weight', permuteK),
    one('v', [keys, hiddenSize], 'self_attn.v_proj.weight', 'attn_v.weight'),
    one('o', [hiddenSize, queries], 'self_attn.o_proj.weight', 'attn_output.weight'),
  ];
  if (config.attentionBias) {
    weights.push(
      one('q_bias', [queries], 'self_attn.q_proj.bias', 'attn_q.bias', permuteQ),
      one('k_bias', [keys], 'self_attn.k_proj.bias', 'attn_k.bias', permuteK),
      one('v_bias', [keys], 'self_attn.v_proj.bias', 'attn_v.bias'),
    );
  }
  if (config.qkNorm) {
    weights.push(
      one('q_norm', [headDim], 'self_attn.q_norm.weight', 'attn_q_norm.weight', norm),
      one('k_norm', [headDim], 'self_attn.k_norm.weight', 'attn_k_norm.weight', norm),
    );
  }
  if (config.postNorms) {
    weights.push(
      one(
        'post_attn_norm',
        [hiddenSize],
        'post_attention_layernorm.weight',
        'post_attention_norm.weight',
        norm,
      ),
      one('ffn_norm', [hiddenSize], 'pre_feedforward_layernorm.weight', 'ffn_norm.weight', norm),
      one('post_ffn_norm', [hiddenSize], 'post_feedforward_layernorm.weight', 'post_ffw_norm.weight', norm),
    );
  } else {
    weights.push(one('ffn_norm', [hiddenSize], 'post_attention_layernorm.weight', 'ffn_norm.weight', norm));
  }
  weights.push(
    one('gate', [intermediateSize, hiddenSize], 'mlp.gate_proj.weight', 'ffn_gate.weight'),
    one('up', [intermediateSize, hiddenSize], 'mlp.up_proj.weight', 'ffn_up.weight'),
    one('down', [hiddenSize, intermediateSize], 'mlp.down_proj.weight', 'ffn_down.weight'),
  );
  return weights;
}

function spec(
  name: string,
  shape: readonly number[],
  huggingFace: string,
  gguf: string,
  ggufTransform: GgufTransform = 'none',
): WeightSpec {
  return { name, shape, huggingFace, gguf, ggufTransform };
}

/** Number of weights, a tied output projection counted once: the figure model cards state. */
export function parameterCount(config: ModelConfig): number {
  return weightTable(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/** Name and shape of a tensor a file offers. */
export interface OfferedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface WeightLocation extends WeightSpec {
  /** The tensor's name in the file(s). */
  readonly source: string;
  /** What to do to the values read; 'none' for safetensors. */
  readonly transform: GgufTransform;
}

/** Prefixes under which safetensors files keep the language model: plain, bare base model, inside a vision model. */
const PREFIXES = [
  { model: 'model.', head: 'lm_head.' },
  { model: '', head: 'lm_head.' },
  { model: 'language_model.model.', head: 'language_model.lm_head.' },
  { model: 'model.language_model.', head: 'lm_head.' },
] as const;

/**
 * Finds every weight of `config` among the tensors of a model's file(s), checking shapes.
 * Tensors that the config does not need (rotary caches, a vision tower) are ignored.
 * @param source file or folder name for errors.
 * @throws LatentWireError 'format' naming source and tensor when one is missing or has another shape.
 */
export function locateWeights(
  config: ModelConfig,
  format: 'safetensors' | 'gguf',
  offered: Iterable<OfferedTensor>,
  source: string,
): readonly WeightLocation[] {
  const shapes = new Map<string, readonly number[]>();
  for (const { name, shape } of offered) shapes.set(name, shape);
  const nameOf = format === 'gguf' ? (weight: WeightSpec) => weight.gguf : safetensorsNames(shapes);

  const table = weightTable(config);
  return table.map((weight) => {
    const name = nameOf(weight);
    const shape = shapes.get(name);
    if (shape === undefined) {
      const needed = new Set(table.map(nameOf));
      const strangers = [...shapes.keys()].filter((candidate) => !needed.has(candidate));
      const near = nearestName(name, strangers);
      throw new LatentWireError(`${source}: expected a tensor '${name}' [${weight.shape}], got none`, {
        code: 'format',
        ...(near === undefined ? {} : { hint: `the nearest name there is '${near}'` }),
      });
    }
    if (shape.length !== weight.shape.length || shape.some((extent, d) => extent !== weight.shape[d])) {
      throw new LatentWireError(
        `${source}: tensor '${name}': expected shape [${weight.shape}], got [${shape}]`,
        {
          code: 'format',
          hint: 'config and weights belong to different models, or the file is damaged',
        },
      );
    }
    return { ...weight, source: name, transform: format === 'gguf' ? weight.ggufTransform : 'none' };
  });
}

function safetensorsNames(shapes: ReadonlyMap<string, unknown>): (weight: WeightSpec) => string {
  const prefix = PREFIXES.find(({ model }) => shapes.has(`${model}embed_tokens.weight`)) ?? PREFIXES[0];
  return ({ huggingFace }) =>
    huggingFace.startsWith('model.')
      ? prefix.model + huggingFace.slice('model.'.length)
      : prefix.head + huggingFace.slice('lm_head.'.length);
}
