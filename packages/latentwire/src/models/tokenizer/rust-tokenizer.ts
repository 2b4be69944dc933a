/**
 * Tokenizer over the official `tokenizers` library (Rust), the one that made the training data of the models.
 */
import { createHash } from 'node:crypto';
import { Tokenizer as RustLibrary } from 'tokenizers';
import { LatentWireError } from '../../errors.js';
import { guardNativeLibrary } from './native-guards.js';
import type { DecodeOptions, EncodeOptions, SpecialTokenIds, Tokenizer } from './tokenizer.js';
import { checkMerges, type TokenizerJson } from './tokenizer-json.js';

/** Texts handed to the library at once: enough to fill its threads, few enough to bound its memory. */
const BATCH = 512;

export interface RustTokenizerOptions {
  readonly special: SpecialTokenIds;
  /**
   * SentencePiece puts a space before every text, even one that starts with a space; the library's
   * `Metaspace` does not before such a text. With this on, the missing space is added to the text.
   */
  readonly doublesLeadingSpace?: boolean;
}

export class RustTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly special: SpecialTokenIds;
  readonly digest: string;
  readonly #source: string;
  readonly #library: RustLibrary;
  readonly #doublesLeadingSpace: boolean;

  /**
   * @param json a checked document (`checkTokenizerJson`).
   * @param source file name for errors.
   */
  constructor(json: TokenizerJson, source: string, options: RustTokenizerOptions) {
    this.#source = source;
    guardNativeLibrary(json, source);
    const text = JSON.stringify(json);
    try {
      this.#library = RustLibrary.fromString(text);
    } catch (cause) {
      checkMerges(json, source);
      throw new LatentWireError(`${source}: expected a valid tokenizer, got: ${(cause as Error).message}`, {
        code: 'format',
        hint: 'the file is damaged, or needs a newer version of the tokenizers library',
        cause,
      });
    }
    for (const { content, id } of json.added_tokens) {
      const actual = this.#library.tokenToId(content);
      if (actual !== id) {
        throw new LatentWireError(`${source}: added token '${content}': expected id ${id}, got ${actual}`, {
          code: 'format',
          hint: 'ids of added tokens must follow those of the vocabulary without a gap',
        });
      }
    }
    this.vocabSize = largestId(json, this.#library) + 1;
    this.special = options.special;
    this.#doublesLeadingSpace = options.doublesLeadingSpace ?? false;
    this.digest = createHash('sha256')
      .update(text)
      .update(JSON.stringify([options.special, this.#doublesLeadingSpace]))
      .digest('hex');
  }

  async encodeBatch(texts: readonly string[], options: EncodeOptions = {}): Promise<Int32Array[]> {
    const addSpecialTokens = options.addSpecialTokens ?? true;
    const ids: Int32Array[] = [];
    for (let start = 0; start < texts.length; start += BATCH) {
      const batch = texts.slice(start, start + BATCH);
      const prepared = this.#doublesLeadingSpace ? batch.map(doubleLeadingSpace) : batch;
      const encodings = await this.#library
        .encodeBatch(prepared, { addSpecialTokens })
        .catch((cause) => this.#fail(cause));
      for (const encoding of encodings) ids.push(Int32Array.from(encoding.getIds()));
    }
    return ids;
  }

  async decode(ids: ArrayLike<number>, options: DecodeOptions = {}): Promise<string> {
    const list = Array.from(ids);
    const wrong = list.findIndex((id) => !Number.isInteger(id) || id < 0 || id > 0x7fffffff);
    if (wrong >= 0) {
      throw new LatentWireError(`decode: expected token ids, got ${list[wrong]} at position ${wrong}`, {
        code: 'internal',
        hint: 'masked labels (-100) must be removed before decoding',
      });
    }
    return this.#library.decode(list, options.skipSpecialTokens ?? true).catch((cause) => this.#fail(cause));
  }

  /** Models without a token for unknown text refuse some texts. */
  #fail(cause: unknown): never {
    throw new LatentWireError(
      `${this.#source}: expected a usable tokenizer, got: ${(cause as Error).message}`,
      {
        code: 'format',
        cause,
      },
    );
  }

  tokenId(token: string): number | undefined {
    return this.#library.tokenToId(token) ?? undefined;
  }
}

function doubleLeadingSpace(text: string): string {
  return text.startsWith(' ') || text.startsWith('\u2581') ? ` ${text}` : text;
}

function largestId(json: TokenizerJson, library: RustLibrary): number {
  let largest = library.getVocabSize(true) - 1;
  for (const { id } of json.added_tokens) largest = Math.max(largest, id);
  const { vocab } = json.model;
  if (typeof vocab === 'object' && vocab !== null && !Array.isArray(vocab)) {
    for (const id of Object.values(vocab)) largest = Math.max(largest, id as number);
  }
  return largest;
}
