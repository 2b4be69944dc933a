/**
 * A tokenizer that remembers the ids of every piece of text it has seen. Generated text is made of some thousand
 * different words, so after a short while a batch costs one look-up per word; through the library it costs more than
 * the step that learns from it.
 */
import type { Tokenizer } from '../models/index.js';

/**
 * @param tokenizer cuts text by `pattern` before it merges, changes no text, and puts nothing around it when asked not
 * to.
 * @param pattern matches every character; flags g and u.
 * @returns the same ids for text in which no special token is spelt out.
 */
export function rememberPieces(tokenizer: Tokenizer, pattern: RegExp): Tokenizer {
  const known = new Map<string, Int32Array>();
  return {
    vocabSize: tokenizer.vocabSize,
    special: tokenizer.special,
    digest: tokenizer.digest,
    decode: (ids, options) => tokenizer.decode(ids, options),
    tokenId: (token) => tokenizer.tokenId(token),
    async encodeBatch(texts, options): Promise<Int32Array[]> {
      if (options?.addSpecialTokens !== false) return tokenizer.encodeBatch(texts, options);
      const cut = texts.map((text) => text.match(pattern) ?? []);
      const unknown = [...new Set(cut.flat())].filter((piece) => !known.has(piece));
      if (unknown.length > 0) {
        const ids = await tokenizer.encodeBatch(unknown, options);
        unknown.forEach((piece, i) => {
          known.set(piece, ids[i]!);
        });
      }
      return cut.map((pieces) => joined(pieces.map((piece) => known.get(piece)!)));
    },
  };
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
