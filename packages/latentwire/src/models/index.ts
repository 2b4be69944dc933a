/** Frozen language models: config, weights, tokenizer, forward pass, generation. */
export { type ModelConfig, parameterCount } from './config/index.js';
export * from './decoder/index.js';
export {
  type LoadedModel,
  type LoadLogger,
  type LoadModelOptions,
  loadModel,
  loadTokenizer,
  modelName,
  type RenderMessages,
} from './load-model.js';
export { resolveDevice, resolveDtype } from './placement.js';
export type { Tokenizer } from './tokenizer/index.js';
