/**
 * Sizes of the contexts as text: what the bytes of a message are compared with. Tokens alone would flatter a latent: 32
 * vectors of 256 floats are 32 KB where the text is 800 bytes.
 */
import { type TextBytes, textBytes } from '../wire/codec/index.js';

/** Mean bytes per question, for each way of sending a text. */
export type TextSizes = Omit<TextBytes, 'smallest'>;

/** @param texts one per question; a text of several questions counts for each, as it is sent for each */
export function textSizes(texts: readonly string[]): TextSizes {
  const known = new Map<string, TextBytes>();
  const sums = { utf8: 0, zlib: 0, deflate: 0, brotli: 0 };
  const names = Object.keys(sums) as (keyof TextSizes)[];
  for (const text of texts) {
    let size = known.get(text);
    if (size === undefined) {
      size = textBytes(text);
      known.set(text, size);
    }
    for (const name of names) sums[name] += size[name];
  }
  for (const name of names) sums[name] /= texts.length;
  return sums;
}
