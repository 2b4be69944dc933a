/**
 * ModelConfig from the metadata and tensor table of a GGUF file.
 *
 * Sources: llama.cpp's converter and loaders (keys, Gemma 3 constants), GGUF specification. Two things are not
 * in the metadata: Llama 3.1 rotary scaling is stored as the tensor `rope_freqs.weight`, and the output
 * projection is tied when there is no `output.weight`.
 */
import { LatentWireError } from '../../errors.js';
import { type GgufFile, readGgufTensor } from '../gguf/index.js';
import { recoverLlama3Scaling } from './llama3-rope.js';
import type { LayerAttention, ModelConfig, ModelFamily, RopeScaling } from './model-config.js';

const FAMILIES: Readonly<Record<string, ModelFamily>> = {
  llama: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  gemma3: 'gemma3',
};
const MAX_SIZE = 1 << 24;
const MAX_LAYERS = 4096;
const GEMMA3_LOCAL_THETA = 1e4;
const GEMMA3_PATTERN = 6;
/** Gemma 3 27B, the one size whose score scale is hiddenSize / heads; files do not state the scale. */
const GEMMA3_27B_LAYERS = 62;

/** Reads keys of one architecture: `reader.size('block_count')` is `llama.block_count`. */
class ArchitectureReader {
  constructor(
    readonly file: GgufFile,
    readonly architecture: string,
  ) {}

  key(name: string): string {
    return `${this.architecture}.${name}`;
  }

  size(name: string): number {
    return this.file.metadata.integer(this.key(name), 1, MAX_SIZE);
  }

  optionalSize(name: string): number | undefined {
    return this.file.metadata.optionalInteger(this.key(name), 1, MAX_SIZE);
  }

  optionalPositive(name: string): number | undefined {
    const value = this.file.metadata.optionalNumber(this.key(name));
    if (value !== undefined && !(value > 0 && Number.isFinite(value))) {
      this.fail(name, 'a positive number', String(value));
    }
    return value;
  }

  fail(name: string, expected: string, got: string): never {
    return this.file.metadata.fail(this.key(name), expected, got);
  }
}

/** @throws LatentWireError 'format' naming file and key when the file is no supported, complete model. */
export function readGgufConfig(file: GgufFile): ModelConfig {
  const { metadata, tensors } = file;
  const architecture = metadata.string('general.architecture');
  const family = FAMILIES[architecture];
  if (family === undefined) {
    const known = Object.keys(FAMILIES).join(', ');
    return metadata.fail('general.architecture', `one of ${known}`, `'${architecture}'`);
  }
  const reader = new ArchitectureReader(file, architecture);
  refuseUnsupported(reader);
  const layers = reader.size('block_count');
  if (layers > MAX_LAYERS) reader.fail('block_count', `at most ${MAX_LAYERS}`, String(layers));
  const hiddenSize = reader.size('embedding_length');
  const { heads, kvHeads, headDim } = headShape(reader, hiddenSize);
  const rmsNormEps = metadata.number(reader.key('attention.layer_norm_rms_epsilon'));
  if (!(rmsNormEps > 0 && rmsNormEps <= 1)) {
    reader.fail('attention.layer_norm_rms_epsilon', 'a number in (0, 1]', String(rmsNormEps));
  }
  const token = (name: string) => metadata.optionalInteger(`tokenizer.ggml.${name}_token_id`, 0, MAX_SIZE);
  const ends = [token('eos'), token('eot'), token('eom')].filter((id) => id !== undefined);
  const gemma = family === 'gemma3';
  const theta = reader.optionalPositive('rope.freq_base') ?? 1e4;
  const localTheta = reader.optionalPositive('rope.freq_base_swa') ?? GEMMA3_LOCAL_THETA;
  const scoreDivisor = gemma && layers === GEMMA3_27B_LAYERS ? hiddenSize / heads : headDim;
  return {
    family,
    hiddenSize,
    layers,
    heads,
    kvHeads,
    headDim,
    intermediateSize: reader.size('feed_forward_length'),
    vocabSize: vocabularySize(reader),
    rmsNormEps,
    activation: gemma ? 'gelu_tanh' : 'silu',
    rope: { theta, scaling: scaling(reader, headDim, theta) },
    localRope: gemma ? { theta: localTheta, scaling: { kind: 'none' } } : null,
    ...attentionWindows(reader, layers),
    tiedEmbeddings: !tensors.has('output.weight'),
    attentionBias: family === 'qwen2' || tensors.has('blk.0.attn_q.bias'),
    qkNorm: gemma || family === 'qwen3',
    normPlusOne: gemma,
    postNorms: gemma,
    embeddingScale: gemma ? Math.sqrt(hiddenSize) : 1,
    attentionScale: scoreDivisor ** -0.5,
    maxPositions: reader.size('context_length'),
    bosId: token('bos') ?? null,
    eosIds: [...new Set(ends)],
  };
}

function refuseUnsupported(reader: ArchitectureReader): void {
  const { file } = reader;
  for (const softcap of ['final_logit_softcapping', 'attn_logit_softcapping']) {
    if (file.metadata.has(reader.key(softcap))) reader.fail(softcap, 'no such key (not supported)', 'one');
  }
  if (file.tensors.has('blk.0.attn_output.bias')) {
    throw new LatentWireError(
      `${file.path}: tensor 'blk.0.attn_output.bias': expected none (not supported), got one`,
      { code: 'format' },
    );
  }
}

function headShape(
  reader: ArchitectureReader,
  hiddenSize: number,
): Pick<ModelConfig, 'heads' | 'kvHeads' | 'headDim'> {
  const heads = reader.size('attention.head_count');
  const kvHeads = reader.optionalSize('attention.head_count_kv') ?? heads;
  if (heads % kvHeads !== 0) {
    reader.fail('attention.head_count_kv', `a divisor of attention.head_count ${heads}`, String(kvHeads));
  }
  const rotary = reader.optionalSize('rope.dimension_count');
  const headDim = reader.optionalSize('attention.key_length') ?? rotary ?? hiddenSize / heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    reader.fail('attention.key_length', 'an even integer head size', String(headDim));
  }
  for (const name of ['attention.value_length', 'rope.dimension_count']) {
    const value = reader.optionalSize(name) ?? headDim;
    if (value !== headDim) reader.fail(name, `the head size ${headDim}`, String(value));
  }
  return { heads, kvHeads, headDim };
}

/** Rows of the embedding table, the one size that weights and logits agree on; else what the metadata say. */
function vocabularySize(reader: ArchitectureReader): number {
  const rows = reader.file.tensors.get('token_embd.weight')?.shape[0];
  const tokens = reader.file.metadata.optionalStrings('tokenizer.ggml.tokens')?.length;
  return rows ?? reader.optionalSize('vocab_size') ?? tokens ?? reader.size('vocab_size');
}

/** In Gemma 3 every sixth layer attends to everything, unless the file has a pattern: a period or a flag per layer. */
function attentionWindows(
  reader: ArchitectureReader,
  layers: number,
): Pick<ModelConfig, 'slidingWindow' | 'layerAttention'> {
  const { metadata } = reader.file;
  const window = metadata.optionalInteger(reader.key('attention.sliding_window'), 0, MAX_SIZE) || null;
  const key = reader.key('attention.sliding_window_pattern');
  const flags = Array.isArray(metadata.entries.get(key)) ? metadata.optionalBooleans(key) : undefined;
  if (flags !== undefined && flags.length !== layers)
    metadata.fail(key, `${layers} flags`, String(flags.length));
  const usual = reader.architecture === 'gemma3' ? GEMMA3_PATTERN : layers + 1;
  const period = flags === undefined ? (metadata.optionalInteger(key, 1, 4096) ?? usual) : 0;
  const layerAttention = Array.from({ length: layers }, (_, i): LayerAttention => {
    const slides = flags === undefined ? (i + 1) % period !== 0 : flags[i] === true;
    return slides && window !== null ? 'sliding' : 'full';
  });
  return { layerAttention, slidingWindow: layerAttention.includes('sliding') ? window : null };
}

function scaling(reader: ArchitectureReader, headDim: number, theta: number): RopeScaling {
  const { file } = reader;
  const divisors = file.tensors.get('rope_freqs.weight');
  if (divisors !== undefined) {
    const values = divisors.elements === headDim / 2 ? readGgufTensor(file, divisors.name) : [];
    const found = recoverLlama3Scaling(values, theta, headDim);
    if (found !== undefined) return found;
    throw new LatentWireError(
      `${file.path}: tensor 'rope_freqs.weight': expected the ${headDim / 2} divisors of a Llama 3 model, got others`,
      { code: 'format', hint: 'this rotary scaling is not supported' },
    );
  }
  const type = file.metadata.optionalString(reader.key('rope.scaling.type')) ?? 'none';
  if (type === 'none') return { kind: 'none' };
  if (type !== 'linear') return reader.fail('rope.scaling.type', "'none' or 'linear'", `'${type}'`);
  const factor = reader.optionalPositive('rope.scaling.factor');
  return {
    kind: 'linear',
    factor: factor ?? reader.fail('rope.scaling.factor', 'a positive number', 'nothing'),
  };
}
