/** The wire: text → latents → soft prefix, and the one contract of how a prompt is put together. */
export { Adapter, type AdapterOptions } from './adapter.js';
export {
  batchEmbeddings,
  type ComposedBatch,
  compose,
  indexTensor,
  type Segment,
  targetHidden,
} from './compose.js';
export { LatentWire } from './latent-wire.js';
export { type EncoderBatch, encoderBatch, LmEncoder, type LmEncoderOptions } from './lm-encoder.js';
export { poolWindows } from './pooling.js';
export { PromptFormat, type PromptFormatOptions, type PromptText, type RenderChat } from './prompt-format.js';
export {
  answerTokens,
  contextTokens,
  fullPromptTokens,
  headTokens,
  latentRow,
  type Reader,
  repeatTokens,
  tailTokens,
} from './reader.js';
