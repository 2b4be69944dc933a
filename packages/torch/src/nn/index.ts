export {
  type DecodeCache,
  type DecodeOptions,
  decodeAttention,
  decodeKernelTakes,
} from './decode-attention.js';
export {
  type DecoderLayerOptions,
  type DecoderLayerWeights,
  decoderLayer,
  decoderLayerTakes,
  setWholeLayersAnywhere,
} from './decoder-layer.js';
export { addNorm, gatedActivation, rotarySplit, rotate, setFusedKernels } from './fused.js';
export * from './init.js';
export * from './layers.js';
export * from './module.js';
export { nllGradient_ } from './nll.js';
