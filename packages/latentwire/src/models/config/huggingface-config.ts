/**
 * ModelConfig from a Hugging Face config.json. Absent fields take the defaults of the model's class in
 * transformers, because published files leave them out (Gemma 3 4B names only five of its sizes). Features
 * that would change results and are not implemented are refused by name, never ignored.
 *
 * Covers transformers 4 (`rope_theta`, `rope_scaling`) and 5 (`rope_parameters`, per layer type in Gemma 3).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import { LatentWireError, nearestName } from '../../errors.js';
import { checkJson, parseJson, readJson, readTextFile } from './json-file.js';
import type { LayerAttention, ModelConfig, ModelFamily, Rope, RopeScaling } from './model-config.js';

const size = z
  .int()
  .min(1)
  .max(1 << 24);
const layerCount = z.int().min(1).max(4096);
const positive = z.number().gt(0).lt(1e12);
const tokenId = z
  .int()
  .min(0)
  .max(1 << 24);

const ropeFields = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: positive.nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  original_max_position_embeddings: size.nullish(),
  partial_rotary_factor: positive.nullish(),
});
type RopeFields = z.infer<typeof ropeFields>;

const modelSchema = z.looseObject({
  model_type: z.string(),
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: size.nullish(),
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: size.nullish(),
  rms_norm_eps: z.number().gt(0).max(1).nullish(),
  max_position_embeddings: size.nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  hidden_act: z.string().nullish(),
  hidden_activation: z.string().nullish(),
  rope_theta: positive.nullish(),
  rope_local_base_freq: positive.nullish(),
  rope_scaling: ropeFields.nullish(),
  rope_parameters: ropeFields
    .extend({ full_attention: ropeFields.nullish(), sliding_attention: ropeFields.nullish() })
    .nullish(),
  partial_rotary_factor: positive.nullish(),
  sliding_window: size.nullish(),
  use_sliding_window: z.boolean().nullish(),
  max_window_layers: z.int().min(0).nullish(),
  sliding_window_pattern: size.nullish(),
  layer_types: z.array(z.enum(['full_attention', 'sliding_attention'])).nullish(),
  query_pre_attn_scalar: positive.nullish(),
  final_logit_softcapping: positive.nullish(),
  attn_logit_softcapping: positive.nullish(),
  use_bidirectional_attention: z.boolean().nullish(),
  quantization_config: z.unknown().optional(),
  bos_token_id: tokenId.nullish(),
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
});
type Fields = z.infer<typeof modelSchema>;

const wrapperSchema = z.looseObject({ model_type: z.string(), text_config: z.looseObject({}).nullish() });

/** What each transformers class assumes where config.json is silent. */
interface ClassDefaults {
  readonly family: ModelFamily;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly headDim?: number;
  readonly vocabSize?: number;
  readonly maxPositions: number;
  readonly theta: number;
  readonly tied: boolean;
  readonly activation: string;
  readonly queryPreAttnScalar?: number;
  readonly slidingWindow?: number;
  readonly eosId?: number;
  readonly bosId?: number;
}

const CLASSES: Readonly<Record<string, ClassDefaults>> = {
  llama: {
    family: 'llama',
    maxPositions: 2048,
    theta: 1e4,
    tied: false,
    activation: 'silu',
    bosId: 1,
    eosId: 2,
  },
  mistral: {
    family: 'mistral',
    kvHeads: 8,
    maxPositions: 131_072,
    theta: 1e4,
    tied: false,
    activation: 'silu',
    slidingWindow: 4096,
    bosId: 1,
    eosId: 2,
  },
  qwen2: {
    family: 'qwen2',
    kvHeads: 32,
    maxPositions: 32_768,
    theta: 1e4,
    tied: false,
    activation: 'silu',
    slidingWindow: 4096,
  },
  qwen3: {
    family: 'qwen3',
    kvHeads: 32,
    headDim: 128,
    maxPositions: 32_768,
    theta: 1e4,
    tied: false,
    activation: 'silu',
    slidingWindow: 4096,
  },
  gemma3_text: {
    family: 'gemma3',
    heads: 8,
    kvHeads: 4,
    headDim: 256,
    vocabSize: 262_208,
    maxPositions: 131_072,
    theta: 1e6,
    tied: true,
    activation: 'gelu_pytorch_tanh',
    queryPreAttnScalar: 256,
    slidingWindow: 4096,
    bosId: 2,
    eosId: 1,
  },
};
/** `model_type` of a config whose language model sits in `text_config`. */
const WRAPPERS: Readonly<Record<string, string>> = { gemma3: 'gemma3_text' };
const GEMMA3_LOCAL_THETA = 1e4;

/**
 * Reads config.json of a model folder, and the BOS and EOS ids of generation_config.json when there is one: chat
 * models state there what ends a turn.
 * @throws LatentWireError 'input' when there is no config.json, 'format' naming file and field otherwise.
 */
export function readHuggingFaceConfig(folder: string): ModelConfig {
  const file = path.join(folder, 'config.json');
  const config = parseHuggingFaceConfig(parseJson(readTextFile(file), file), file);
  const generationFile = path.join(folder, 'generation_config.json');
  if (!fs.existsSync(generationFile)) return config;
  const ids = readJson(generationFile, modelSchema.pick({ bos_token_id: true, eos_token_id: true }));
  return {
    ...config,
    bosId: ids.bos_token_id ?? config.bosId,
    eosIds: ids.eos_token_id == null ? config.eosIds : [ids.eos_token_id].flat(),
  };
}

/**
 * @param value parsed content of config.json.
 * @param source file name for errors.
 * @throws LatentWireError 'format' naming file and field for anything malformed, inconsistent or not supported.
 */
export function parseHuggingFaceConfig(value: unknown, source: string): ModelConfig {
  const wrapper = checkJson(wrapperSchema, value, source);
  const nested = wrapper.text_config ?? undefined;
  const stated =
    nested?.model_type ?? (nested ? WRAPPERS[wrapper.model_type] : undefined) ?? wrapper.model_type;
  // Ids and tying may stand beside text_config instead of in it.
  const { bos_token_id, eos_token_id, tie_word_embeddings, quantization_config } = wrapper;
  const flat = nested
    ? { bos_token_id, eos_token_id, tie_word_embeddings, quantization_config, ...nested, model_type: stated }
    : wrapper;
  const fields = checkJson(modelSchema, flat, source);
  const defaults = CLASSES[fields.model_type];
  if (defaults === undefined) return unknownModelType(fields.model_type, source);
  refuseUnsupported(fields, source);
  return build(fields, defaults, source);
}

function build(fields: Fields, defaults: ClassDefaults, source: string): ModelConfig {
  const { family } = defaults;
  const heads = fields.num_attention_heads ?? defaults.heads ?? required('num_attention_heads', source);
  const kvHeads = fields.num_key_value_heads ?? defaults.kvHeads ?? heads;
  if (heads % kvHeads !== 0) {
    fail(source, 'num_key_value_heads', `a divisor of num_attention_heads ${heads}`, kvHeads);
  }
  const headDim = fields.head_dim ?? defaults.headDim ?? fields.hidden_size / heads;
  if (!Number.isInteger(headDim)) {
    fail(source, 'num_attention_heads', `a divisor of hidden_size ${fields.hidden_size}`, heads);
  }
  if (headDim % 2 !== 0) fail(source, 'head_dim', 'an even number (rotary pairs)', headDim);
  const scoreDivisor =
    family === 'gemma3' ? (fields.query_pre_attn_scalar ?? defaults.queryPreAttnScalar!) : headDim;
  const windows = attentionWindows(fields, defaults, source);
  const eos = fields.eos_token_id === undefined ? defaults.eosId : fields.eos_token_id;
  const gemma = family === 'gemma3';
  return {
    family,
    hiddenSize: fields.hidden_size,
    layers: fields.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    intermediateSize: fields.intermediate_size,
    vocabSize: fields.vocab_size ?? defaults.vocabSize ?? required('vocab_size', source),
    rmsNormEps: fields.rms_norm_eps ?? 1e-6,
    ...ropes(fields, defaults, source),
    tiedEmbeddings: fields.tie_word_embeddings ?? defaults.tied,
    attentionBias: family === 'qwen2',
    ...windows,
    activation: activation(fields, defaults, source),
    attentionScale: scoreDivisor ** -0.5,
    bosId: (fields.bos_token_id === undefined ? defaults.bosId : fields.bos_token_id) ?? null,
    eosIds: eos == null ? [] : [eos].flat(),
    maxPositions: fields.max_position_embeddings ?? defaults.maxPositions,
    qkNorm: gemma || family === 'qwen3',
    normPlusOne: gemma,
    postNorms: gemma,
    embeddingScale: gemma ? Math.sqrt(fields.hidden_size) : 1,
  };
}

function activation(fields: Fields, defaults: ClassDefaults, source: string): ModelConfig['activation'] {
  const field = fields.hidden_activation == null ? 'hidden_act' : 'hidden_activation';
  const name =
    (defaults.family === 'gemma3' ? fields.hidden_activation : fields.hidden_act) ?? defaults.activation;
  if (name === 'silu' || name === 'swish') return 'silu';
  if (name === 'gelu_pytorch_tanh') return 'gelu_tanh';
  return fail(source, field, "'silu' or 'gelu_pytorch_tanh'", name);
}

function attentionWindows(
  fields: Fields,
  defaults: ClassDefaults,
  source: string,
): Pick<ModelConfig, 'slidingWindow' | 'layerAttention'> {
  const layers = fields.num_hidden_layers;
  const types = fields.layer_types;
  if (types != null && types.length !== layers) {
    fail(source, 'layer_types', `${layers} entries (num_hidden_layers)`, types.length);
  }
  const window =
    (fields.sliding_window === undefined ? defaults.slidingWindow : fields.sliding_window) ?? null;
  const isSliding = (layer: number): boolean => {
    switch (defaults.family) {
      case 'llama':
        return false;
      case 'mistral':
        return true;
      case 'qwen2':
      case 'qwen3': {
        if (fields.use_sliding_window !== true) return false;
        return types == null
          ? layer >= (fields.max_window_layers ?? 28)
          : types[layer] === 'sliding_attention';
      }
      case 'gemma3': {
        if (types != null) return types[layer] === 'sliding_attention';
        return (layer + 1) % (fields.sliding_window_pattern ?? 6) !== 0;
      }
    }
  };
  const layerAttention = Array.from({ length: layers }, (_, i): LayerAttention => {
    return window !== null && isSliding(i) ? 'sliding' : 'full';
  });
  return { layerAttention, slidingWindow: layerAttention.includes('sliding') ? window : null };
}

function ropes(
  fields: Fields,
  defaults: ClassDefaults,
  source: string,
): Pick<ModelConfig, 'rope' | 'localRope'> {
  const parameters = fields.rope_parameters ?? undefined;
  const full = parameters?.full_attention ?? parameters;
  const field = parameters?.full_attention
    ? 'rope_parameters.full_attention'
    : parameters
      ? 'rope_parameters'
      : 'rope_scaling';
  const theta = full?.rope_theta ?? fields.rope_theta ?? defaults.theta;
  const rope: Rope = { theta, scaling: scaling(full ?? fields.rope_scaling, field, fields, source) };
  if (defaults.family !== 'gemma3') return { rope, localRope: null };

  const local = parameters?.sliding_attention;
  const localTheta = local?.rope_theta ?? fields.rope_local_base_freq ?? GEMMA3_LOCAL_THETA;
  const localScaling = scaling(local, 'rope_parameters.sliding_attention', fields, source);
  return { rope, localRope: { theta: localTheta, scaling: localScaling } };
}

function scaling(
  rope: RopeFields | null | undefined,
  field: string,
  fields: Fields,
  source: string,
): RopeScaling {
  if (rope == null) return { kind: 'none' };
  if ((rope.partial_rotary_factor ?? 1) !== 1) {
    fail(source, `${field}.partial_rotary_factor`, '1', rope.partial_rotary_factor);
  }
  const need = (name: 'factor' | 'low_freq_factor' | 'high_freq_factor'): number =>
    rope[name] ?? fail(source, `${field}.${name}`, 'a positive number', rope[name]);
  const type = rope.rope_type ?? rope.type ?? 'default';
  switch (type) {
    case 'default':
      return { kind: 'none' };
    case 'linear':
      return { kind: 'linear', factor: need('factor') };
    case 'llama3': {
      const lowFreqFactor = need('low_freq_factor');
      const highFreqFactor = need('high_freq_factor');
      if (highFreqFactor <= lowFreqFactor) {
        fail(
          source,
          `${field}.high_freq_factor`,
          `more than low_freq_factor ${lowFreqFactor}`,
          highFreqFactor,
        );
      }
      const original = rope.original_max_position_embeddings ?? fields.max_position_embeddings;
      const originalMaxPositions =
        original ?? fail(source, `${field}.original_max_position_embeddings`, 'a positive integer', original);
      return { kind: 'llama3', factor: need('factor'), lowFreqFactor, highFreqFactor, originalMaxPositions };
    }
    default:
      return fail(source, `${field}.rope_type`, "'default', 'linear' or 'llama3'", type);
  }
}

function refuseUnsupported(fields: Fields, source: string): void {
  const refuse = (field: keyof Fields & string, expected: string): never =>
    fail(source, field, expected, fields[field]);
  if (fields.attention_bias === true) refuse('attention_bias', 'false (an output bias is not supported)');
  if (fields.mlp_bias === true) refuse('mlp_bias', 'false (biases in the feed-forward are not supported)');
  if (fields.final_logit_softcapping != null) refuse('final_logit_softcapping', 'null (not supported)');
  if (fields.attn_logit_softcapping != null) refuse('attn_logit_softcapping', 'null (not supported)');
  if (fields.use_bidirectional_attention === true) refuse('use_bidirectional_attention', 'false');
  if ((fields.partial_rotary_factor ?? 1) !== 1) refuse('partial_rotary_factor', '1');
  if (fields.quantization_config != null) {
    refuse(
      'quantization_config',
      'none: quantised safetensors are not supported; use the original weights or a GGUF file',
    );
  }
}

function unknownModelType(type: string, source: string): never {
  const known = [...Object.keys(CLASSES), ...Object.keys(WRAPPERS)];
  const near = nearestName(type, known);
  throw new LatentWireError(
    `${source}: field 'model_type': expected one of ${known.join(', ')}, got '${type}'`,
    near === undefined ? { code: 'format' } : { code: 'format', hint: `did you mean '${near}'?` },
  );
}

function required(field: string, source: string): never {
  return fail(source, field, 'a positive integer', undefined);
}

function fail(source: string, field: string, expected: string, got: unknown): never {
  const shown = got === undefined ? 'nothing' : JSON.stringify(got).slice(0, 80);
  throw new LatentWireError(`${source}: field '${field}': expected ${expected}, got ${shown}`, {
    code: 'format',
  });
}
