/** The forward pass of frozen decoders and greedy generation. */
export type { ForwardOptions } from './forward.js';
export { type GenerateOptions, generate, releaseGeneration, setCapturedGeneration } from './generate.js';
export type { AttentionCache } from './kv-cache.js';
export { LanguageModel } from './language-model.js';
export { type DecoderWeights, type LayerWeights, mapWeights, namedWeights } from './weights.js';
export { modelDigest } from './weights-digest.js';
export {
  decoderFlop,
  FORWARD_ONLY,
  FROZEN_WITH_GRADIENT,
  logitsFlop,
  type PassFactors,
  TRAINED,
} from './work.js';
