/** The wire: text → latents → soft prefix, and the one contract of how a prompt is put together. */
export { Adapter, type AdapterOptions } from './adapter.js';
export {
  buildAdapter,
  buildEncoder,
  buildWire,
  type EncoderSource,
  type EncoderSourceOptions,
  encoderLimit,
  latentLayout,
  loadEncoderSource,
  type WireConfig,
} from './build-wire.js';
export {
  batchEmbeddings,
  type ComposedBatch,
  compose,
  indexTensor,
  NO_ROW,
  roundUp,
  roundUpCoarsely,
  rowLength,
  type Segment,
  type ShapeMultiples,
  targetPlaces,
} from './compose.js';
export {
  ByteTokenizer,
  Encoder,
  type EncoderBatch,
  type EncoderInputs,
  type EncoderText,
  encoderBatch,
  encoderInputs,
  encoderText,
} from './encoders/index.js';
export { type EncodeOptions, LatentWire, type LatentWireParts, seenLatents } from './latent-wire.js';
export { countOf, type LatentCounts, LatentLayout, type LatentLayoutOptions } from './layout.js';
export { poolWindows } from './pooling.js';
export { PromptFormat, type PromptFormatOptions, type PromptText, type RenderChat } from './prompt-format.js';
export {
  answerTokens,
  contextTokens,
  fullPromptTokens,
  headTokens,
  latentRow,
  type PromptReader,
  type Reader,
  repeatTokens,
  tailTokens,
} from './reader.js';
