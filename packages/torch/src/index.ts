/** @latentwire/torch: libtorch for TypeScript. */
export * from './autograd.js';
export * from './device.js';
export { type DType, dtypeBytes, dtypes, type FloatDType, isFloat } from './dtype.js';
export { TorchError } from './error.js';
export { type AddonInfo, addonInfo } from './native.js';
export * as nn from './nn/index.js';
export * from './ops/index.js';
export * as optim from './optim/index.js';
export { defaultGeneratorState, Generator, manualSeed, restoreDefaultGenerator } from './random/generator.js';
export * as random from './random/index.js';
export * from './safetensors/index.js';
export * from './scope.js';
export { type Nested, Tensor } from './tensor.js';
