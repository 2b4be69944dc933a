export { readGgufConfig } from './gguf-config.js';
export { undoGgufTransform } from './gguf-transform.js';
export { parseHuggingFaceConfig, readHuggingFaceConfig } from './huggingface-config.js';
export { checkJson, parseJson, readJson, readTextFile } from './json-file.js';
export type { LayerAttention, ModelConfig, ModelFamily, Rope, RopeScaling } from './model-config.js';
export {
  type GgufTransform,
  locateWeights,
  type OfferedTensor,
  parameterCount,
  type WeightLocation,
  type WeightSpec,
  weightTable,
} from './weights.js';
