/** Weights from safetensors folders and GGUF files. */
export { GgufWeightSource } from './gguf-source.js';
export { type LoadTarget, loadWeights } from './load-weights.js';
export { SafetensorsWeightSource } from './safetensors-source.js';
export type { WeightSource } from './weight-source.js';
