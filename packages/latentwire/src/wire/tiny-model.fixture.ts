/** Tiny random language models for tests of the wire: real code paths, a millisecond a pass. */
import * as t from '@latentwire/torch';
import type { ModelConfig } from '../models/config/index.js';
import { LanguageModel, namedWeights } from '../models/decoder/index.js';
import type { Tokenizer } from '../models/tokenizer/index.js';
import { initialiseDecoder } from '../pretraining/initialise.js';

export const VOCABULARY = 40;

export const tinyModelConfig: ModelConfig = {
  family: 'llama',
  hiddenSize: 16,
  layers: 2,
  heads: 2,
  kvHeads: 1,
  headDim: 8,
  intermediateSize: 32,
  vocabSize: VOCABULARY,
  rmsNormEps: 1e-6,
  activation: 'silu',
  rope: { theta: 10_000, scaling: { kind: 'none' } },
  localRope: null,
  layerAttention: ['full', 'full'],
  slidingWindow: null,
  tiedEmbeddings: true,
  attentionBias: false,
  qkNorm: false,
  normPlusOne: false,
  postNorms: false,
  embeddingScale: 1,
  attentionScale: 1 / Math.sqrt(8),
  maxPositions: 256,
  bosId: null,
  eosIds: [1],
};

/** Frozen, and with weights so large that attention moves something, as in a trained model. */
export function tinyModel(seed: number, changes: Partial<ModelConfig> = {}): LanguageModel {
  const own = { ...tinyModelConfig, ...changes };
  const weights = initialiseDecoder(own, new t.Generator('cpu', seed));
  t.noGrad(() => {
    for (const tensor of namedWeights(weights).values()) {
      if (tensor.shape.length === 2) t.mul_(tensor, 12);
      tensor.setRequiresGrad(false);
    }
  });
  return new LanguageModel(own, weights);
}

/** Token ids of texts of different lengths; the same for the same arguments. */
export function tinyTexts(lengths: readonly number[]): Int32Array[] {
  return lengths.map((length, i) =>
    Int32Array.from({ length }, (_, k) => 2 + ((i * 31 + k * 7 + ((k * k) % 5)) % (VOCABULARY - 2))),
  );
}

/** For models that are given ids. */
export const noTokenizer = {
  encodeBatch: () => Promise.reject(new Error('the tiny model has no tokenizer')),
} as unknown as Tokenizer;
