/**
 * Bytes of a text as it is usually sent: what a latent message is compared with. Deflate without zlib's wrapper and
 * Brotli are counted as well, since a sender that cares for bytes would use them (Brotli brings its own dictionary of
 * English, which short texts profit from).
 */
import { brotliCompressSync, constants, deflateRawSync, deflateSync } from 'node:zlib';

export interface TextBytes {
  readonly utf8: number;
  /** zlib (RFC 1950), level 9. */
  readonly zlib: number;
  /** Raw deflate (RFC 1951), level 9: zlib without its 6 bytes of header and checksum. */
  readonly deflate: number;
  /** Brotli (RFC 7932), quality 11, text mode. */
  readonly brotli: number;
  /** The smallest of them. */
  readonly smallest: number;
}

export function textBytes(text: string): TextBytes {
  const bytes = Buffer.from(text, 'utf8');
  const sizes = {
    utf8: bytes.length,
    zlib: deflateSync(bytes, { level: 9, memLevel: 9 }).length,
    deflate: deflateRawSync(bytes, { level: 9, memLevel: 9 }).length,
    brotli: brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }).length,
  };
  return { ...sizes, smallest: Math.min(...Object.values(sizes)) };
}
