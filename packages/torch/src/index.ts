/** @latentwire/torch: libtorch for TypeScript. */
export * from './autograd.js';
export { type CapturedOutput, captureOutput } from './capture.js';
export * as cuda from './cuda/index.js';
export * from './device.js';
export { digestText, fileDigest, tensorDigests } from './digest.js';
export * as distributed from './distributed/index.js';
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
export {
  type ReceivedSignal,
  receivedSignal,
  signalCount,
  signalReceived,
  signalWhenParentEnds,
  unwatchSignals,
  watchSignals,
} from './signals.js';
export { type Nested, Tensor } from './tensor.js';
