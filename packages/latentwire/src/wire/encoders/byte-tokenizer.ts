/** UTF-8 as a tokenizer: token i is byte i. Every text has ids, and every id list of a text decodes to that text. */
import { createHash } from 'node:crypto';
import { LatentWireError } from '../../errors.js';
import type { DecodeOptions, SpecialTokenIds, Tokenizer } from '../../models/tokenizer/index.js';

export class ByteTokenizer implements Tokenizer {
  readonly vocabSize = 256;
  readonly special: SpecialTokenIds = { bosId: null, eosIds: [], padId: null };
  readonly digest = createHash('sha256').update('utf-8 bytes').digest('hex');

  async encodeBatch(texts: readonly string[]): Promise<Int32Array[]> {
    return texts.map((text) => Int32Array.from(Buffer.from(text, 'utf8')));
  }

  async decode(ids: ArrayLike<number>, _options?: DecodeOptions): Promise<string> {
    const bytes = Array.from(ids).filter((id) => {
      if (Number.isInteger(id) && id >= 0) return id < 256;
      throw new LatentWireError(`expected token ids to be integers ≥ 0, got ${id}`, { code: 'internal' });
    });
    // Not TextDecoder, which would swallow a byte order mark.
    return Buffer.from(bytes).toString('utf8');
  }

  /** The byte that a single ASCII character is; other bytes have no spelling. */
  tokenId(token: string): number | undefined {
    const code = token.length === 1 ? token.charCodeAt(0) : 256;
    return code < 128 ? code : undefined;
  }
}
