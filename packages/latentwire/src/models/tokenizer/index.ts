export { ggufTokenizer } from './gguf-tokenizer.js';
export { loadTokenizer } from './load-tokenizer.js';
export type { DecodeOptions, EncodeOptions, SpecialTokenIds, Tokenizer } from './tokenizer.js';
