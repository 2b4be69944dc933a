/** Decoders with random weights of the true shape: speed does not depend on the values. */
import * as t from '@latentwire/torch';
import { LanguageModel } from '../../packages/latentwire/dist/models/index.js';

export const SHAPES = {
  'llama-8b': {
    family: 'llama',
    hiddenSize: 4096,
    layers: 32,
    heads: 32,
    kvHeads: 8,
    intermediateSize: 14336,
    vocabSize: 128256,
    tiedEmbeddings: false,
  },
  'qwen-7b': {
    family: 'qwen2',
    hiddenSize: 3584,
    layers: 28,
    heads: 28,
    kvHeads: 4,
    intermediateSize: 18944,
    vocabSize: 152064,
    tiedEmbeddings: false,
  },
  'smollm2-135m': {
    family: 'llama',
    hiddenSize: 576,
    layers: 30,
    heads: 9,
    kvHeads: 3,
    intermediateSize: 1536,
    vocabSize: 49152,
    tiedEmbeddings: true,
  },
  tiny: {
    family: 'llama',
    hiddenSize: 64,
    layers: 2,
    heads: 4,
    kvHeads: 2,
    intermediateSize: 128,
    vocabSize: 512,
    tiedEmbeddings: true,
  },
};
export const shapeNames = Object.keys(SHAPES);

/** @param {string} name */
export function configOf(name) {
  const shape = SHAPES[name];
  const { hiddenSize, heads, layers } = shape;
  const headDim = hiddenSize / heads;
  return {
    ...shape,
    headDim,
    rmsNormEps: 1e-6,
    activation: 'silu',
    rope: { theta: 10_000, scaling: { kind: 'none' } },
    localRope: null,
    layerAttention: Array.from({ length: layers }, () => 'full'),
    slidingWindow: null,
    attentionBias: shape.family === 'qwen2',
    qkNorm: false,
    normPlusOne: false,
    postNorms: false,
    embeddingScale: 1,
    attentionScale: 1 / Math.sqrt(headDim),
    maxPositions: 4096,
    bosId: null,
    eosIds: [0],
  };
}

/** @param {string} name @param {t.Device} device @param {t.DType} dtype */
export function randomModel(name, device, dtype) {
  const shape = SHAPES[name];
  const { hiddenSize: d, layers, heads, kvHeads, intermediateSize, vocabSize } = shape;
  const headDim = d / heads;
  const normal = (...size) => t.keep(t.scope(() => t.mul(t.randn(size, { device, dtype }), 0.02)));
  const ones = () => t.keep(t.ones([d], { device, dtype }));
  const projections = (heads + 2 * kvHeads) * headDim;
  const embed = normal(vocabSize, d);
  const layer = () => ({
    attnNorm: ones(),
    qkv: normal(projections, d),
    qkvBias: shape.family === 'qwen2' ? normal(projections) : null,
    qkNorm: null,
    output: normal(d, d),
    postAttnNorm: null,
    ffnNorm: ones(),
    gateUp: normal(2 * intermediateSize, d),
    down: normal(d, intermediateSize),
    postFfnNorm: null,
  });
  const weights = {
    embed,
    layers: Array.from({ length: layers }, layer),
    norm: ones(),
    head: shape.tiedEmbeddings ? embed : normal(vocabSize, d),
  };
  return new LanguageModel(configOf(name), weights);
}
