/**
 * Text to token ids and back, as the frozen models were trained to see it. Callers hold this interface; what
 * stands behind it (tokenizer.json, a SentencePiece model, a GGUF file) is the loader's affair.
 */

export interface SpecialTokenIds {
  readonly bosId: number | null;
  /** Ids that end a text or a turn, in the order stated. A model's generation config may know more. */
  readonly eosIds: readonly number[];
  readonly padId: number | null;
}

export interface EncodeOptions {
  /** Add what the tokenizer puts around a text (a BOS, seldom an EOS). Default true; false for rendered chats. */
  readonly addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Leave out BOS, EOS, turn markers and other special tokens. Default true. */
  readonly skipSpecialTokens?: boolean;
}

export interface Tokenizer {
  /** One more than the largest id; a model's embedding table may be larger (padding). */
  readonly vocabSize: number;
  readonly special: SpecialTokenIds;
  /** sha256, in hex, of everything that defines the ids: equal digests, equal tokenizers. */
  readonly digest: string;

  /**
   * Ids of each text. Texts that spell a special token become that token, as in Hugging Face tokenizers.
   * Lone surrogates, which are no text, count as U+FFFD.
   */
  encodeBatch(texts: readonly string[], options?: EncodeOptions): Promise<Int32Array[]>;

  /**
   * Text of the ids. Ids beyond the vocabulary (rows that only pad the embedding table) yield nothing; bytes
   * that are no UTF-8 yield U+FFFD. No clean-up of spaces: decoding what was encoded gives the text back.
   * @throws LatentWireError 'internal' for ids that are negative or no integers.
   */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): Promise<string>;

  /** Id of a token by its spelling in the vocabulary (`<|im_end|>`, `Ġthe`), or undefined. */
  tokenId(token: string): number | undefined;
}
