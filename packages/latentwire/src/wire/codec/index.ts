/** Latents as bytes: quantisation, the message format and its cost. */
export {
  decodeMessage,
  type EncodeOptions,
  encodeMessage,
  FORMAT_VERSION,
  type Latents,
  MAX_LATENTS,
  MAX_WIDTH,
  type Message,
  messageBytes,
} from './message.js';
export { type Bits, isBits, PRECISIONS, type Quantisation, quantisation } from './quantisation.js';
export { dequantise, type QuantisedValues, quantise } from './quantise.js';
export { Quantiser } from './quantiser.js';
export { type TextBytes, textBytes } from './text-bytes.js';
export { isWireId, type WireId, wireIdOf } from './wire-id.js';
