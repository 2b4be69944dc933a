/** Encoders: text → latents. */
export {
  ByteTokenEncoder,
  type ByteTokenEncoderOptions,
  TransformerLayer,
} from './byte-token-encoder.js';
export { ByteTokenizer } from './byte-tokenizer.js';
export { Encoder, type EncoderParts } from './encoder.js';
export { type EncoderInputs, type EncoderText, encoderInputs, encoderText } from './encoder-input.js';
export { LatentHead, type LatentHeadOptions, type TokenStates, WindowHead } from './latent-head.js';
export { LmTokenEncoder, type LmTokenEncoderOptions } from './lm-token-encoder.js';
export { Lora, LoraLayers } from './lora.js';
export { QueryHead, type QueryHeadOptions } from './query-head.js';
export { type EncoderBatch, encoderBatch, realTokens, TokenEncoder } from './token-encoder.js';
