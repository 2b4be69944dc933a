export {
  type DecodeCache,
  type DecodeOptions,
  decodeAttention,
  decodeKernelTakes,
} from './decode-attention.js';
export { addNorm, gatedActivation, rotarySplit, rotate, setFusedKernels } from './fused.js';
export * from './init.js';
export * from './layers.js';
export * from './module.js';
