/**
 * The bundled pair: two small models that differ in family, width, depth of their tokenizers' merges and treatment of
 * digits, so that a wire between them has to speak to both.
 */
import { LatentWireError, nearestName } from '../errors.js';
import type { ModelConfig } from '../models/index.js';
import type { TokenizerDesign } from './tokenizer-files.js';

/** What a model is before training. */
export interface ModelDesign {
  readonly name: string;
  /** Class name in transformers. */
  readonly architecture: string;
  readonly config: ModelConfig;
  readonly tokenizer: TokenizerDesign;
}

interface Sizes {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
}

const MAX_POSITIONS = 512;

function decoderConfig(
  family: 'llama' | 'qwen2',
  sizes: Sizes,
  special: { bosId: number | null; eosId: number },
): ModelConfig {
  const headDim = sizes.hiddenSize / sizes.heads;
  return {
    ...sizes,
    family,
    kvHeads: sizes.heads,
    headDim,
    rmsNormEps: 1e-6,
    activation: 'silu',
    rope: { theta: 10_000, scaling: { kind: 'none' } },
    localRope: null,
    layerAttention: Array.from({ length: sizes.layers }, () => 'full' as const),
    slidingWindow: null,
    tiedEmbeddings: true,
    attentionBias: family === 'qwen2',
    qkNorm: false,
    normPlusOne: false,
    postNorms: false,
    embeddingScale: 1,
    attentionScale: 1 / Math.sqrt(headDim),
    maxPositions: MAX_POSITIONS,
    bosId: special.bosId,
    eosIds: [special.eosId],
  };
}

// A word or other run with the space before it, digits in pairs or alone, every white-space character by itself: no
// piece reaches over a line break, so a prompt's tokens are those of its parts.
const pieces = (digits: string): string => ` ?\\p{L}+| ?${digits}| ?[^\\s\\p{L}\\p{N}]+|\\s`;

// Names are spelled in two pieces (and more of the second model, so that the two cut most texts differently), never in one.
const LLAMA_SIZES = { hiddenSize: 128, layers: 6, heads: 4, intermediateSize: 352, vocabSize: 896 };
const QWEN2_SIZES = { hiddenSize: 192, layers: 5, heads: 6, intermediateSize: 512, vocabSize: 848 };

const DESIGNS = {
  'tiny-llama': {
    name: 'tiny-llama',
    architecture: 'LlamaForCausalLM',
    config: decoderConfig('llama', LLAMA_SIZES, { bosId: 0, eosId: 1 }),
    tokenizer: {
      vocabSize: LLAMA_SIZES.vocabSize,
      pattern: pieces('\\p{N}{1,2}'),
      special: ['<s>', '</s>'],
      specialFirst: true,
      bos: '<s>',
      eos: '</s>',
      pad: '</s>',
    },
  },
  'tiny-qwen2': {
    name: 'tiny-qwen2',
    architecture: 'Qwen2ForCausalLM',
    config: decoderConfig('qwen2', QWEN2_SIZES, { bosId: null, eosId: QWEN2_SIZES.vocabSize - 1 }),
    tokenizer: {
      vocabSize: QWEN2_SIZES.vocabSize,
      pattern: pieces('\\p{N}'),
      special: ['<|endoftext|>'],
      specialFirst: false,
      bos: null,
      eos: '<|endoftext|>',
      pad: '<|endoftext|>',
    },
  },
} as const satisfies Record<string, ModelDesign>;

export type ModelDesignName = keyof typeof DESIGNS;
export const modelDesignNames = Object.keys(DESIGNS) as readonly ModelDesignName[];

/** @throws LatentWireError `input` naming the nearest design. */
export function modelDesign(name: string): ModelDesign {
  const design = (DESIGNS as Readonly<Record<string, ModelDesign>>)[name];
  if (design !== undefined) return design;
  const nearest = nearestName(name, modelDesignNames);
  throw new LatentWireError(`expected a model design (${modelDesignNames.join(', ')}), got ${name}`, {
    code: 'input',
    ...(nearest === undefined ? {} : { hint: `did you mean ${nearest}?` }),
  });
}
