/**
 * Which wire wrote a message. Latents mean something only to adapters that were trained with the encoder that made
 * them; the identity of a wire is therefore a hash of what trained: 4 bytes, enough to notice a mix-up.
 */
import { createHash } from 'node:crypto';

declare const wireId: unique symbol;
/** 8 hexadecimal digits. */
export type WireId = string & { readonly [wireId]: true };

export function isWireId(text: string): text is WireId {
  return /^[0-9a-f]{8}$/.test(text);
}

/** First 4 bytes of the SHA-256 of the given parts. Their borders count: ('ab', 'c') is not ('a', 'bc'). */
export function wireIdOf(parts: Iterable<string | Uint8Array>): WireId {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex').slice(0, 8) as WireId;
}
