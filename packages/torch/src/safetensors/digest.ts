/**
 * A digest of the whole file inside its own header, over every byte, the digest's own digits taken as zeros. Any
 * changed byte is found, in header or payload, without a second file that could get lost. Two kinds: SHA-256, and for
 * checkpoints XXH64 over the XXH64 of every 4 MiB block (native/digest.h), which costs a tenth of the disk's time.
 */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { native } from '../native.js';
import { SafetensorsError, systemReason } from './error.js';
import { LENGTH_BYTES } from './header.js';

/** Metadata key that holds the digest. */
export const DIGEST_KEY = 'file_sha256';
/** Stands in for the digest while it is computed. */
export const BLANK_DIGEST = '0'.repeat(64);

/** Metadata key of the fast digest. */
export const FAST_DIGEST_KEY = 'file_xxh64';
export const BLANK_FAST_DIGEST = '0'.repeat(16);

const CHUNK_BYTES = 1 << 22;

export function newDigest(): Hash {
  return createHash('sha256');
}

/**
 * First byte of the digest's digits in `header` (length field and JSON), or -1 when there is none. The pattern
 * cannot occur inside a JSON string, where quotes are escaped.
 */
export function digestPosition(header: Uint8Array, digest: string, key = DIGEST_KEY): number {
  const pattern = `"${key}":"${digest}"`;
  const at = Buffer.from(header.buffer, header.byteOffset, header.byteLength).indexOf(pattern, LENGTH_BYTES);
  return at < 0 ? -1 : at + pattern.length - 1 - digest.length;
}

/**
 * Reads the whole file and compares it with the digest in its header.
 *
 * @param metadata of the header
 * @param payloadOffset first byte after the header
 * @throws SafetensorsError when there is no digest, or a byte differs
 */
export function checkDigest(
  file: string,
  metadata: Readonly<Record<string, string>>,
  payloadOffset: number,
): void {
  const key = metadata[FAST_DIGEST_KEY] === undefined ? DIGEST_KEY : FAST_DIGEST_KEY;
  const field = `__metadata__.${key}`;
  const recorded = metadata[key];
  if (recorded === undefined) {
    throw new SafetensorsError('the file has no digest; it was not written with one', { file, field });
  }
  const actual = (key === FAST_DIGEST_KEY ? fastDigestOf : digestOf)(file, recorded, payloadOffset);
  if (actual !== recorded) {
    throw new SafetensorsError(
      `expected ${recorded}, got ${actual}; the file was damaged or edited after it was written`,
      {
        file,
        field,
      },
    );
  }
}

function fastDigestOf(file: string, recorded: string, payloadOffset: number): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const header = Buffer.alloc(payloadOffset);
    readFully(fd, header);
    const at = digestPosition(header, recorded, FAST_DIGEST_KEY);
    return at < 0 ? undefined : native.fileDigest(file, at);
  } catch (cause) {
    throw new SafetensorsError(`cannot read: ${systemReason(cause)}`, { file, cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function digestOf(file: string, recorded: string, payloadOffset: number): string | undefined {
  const hash = newDigest();
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const header = Buffer.alloc(payloadOffset);
    readFully(fd, header);
    const at = digestPosition(header, recorded);
    // Valid, but not as our writer spells it.
    if (at < 0) return undefined;
    hash.update(header.fill(BLANK_DIGEST, at, at + recorded.length));
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk)) {
      hash.update(chunk.subarray(0, length));
    }
    return hash.digest('hex');
  } catch (cause) {
    throw new SafetensorsError(`cannot read: ${systemReason(cause)}`, { file, cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Fills `bytes` from the current position, or up to the end of the file. Returns the number of bytes read. */
export function readFully(fd: number, bytes: Uint8Array): number {
  let done = 0;
  while (done < bytes.byteLength) {
    const read = readSync(fd, bytes, done, bytes.byteLength - done, null);
    if (read === 0) break;
    done += read;
  }
  return done;
}
