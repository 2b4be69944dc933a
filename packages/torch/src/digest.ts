/** Fast digests (XXH64) of tensors and files: they find damage and differences, not forgery. See native/digest.h. */
import { handles } from './dispatch.js';
import { native } from './native.js';
import type { Tensor } from './tensor.js';

/** XXH64 of each tensor's row-major little-endian bytes. Waits for the device. */
export function tensorDigests(tensors: readonly Tensor[]): BigUint64Array {
  return new BigUint64Array(native.tensorDigests(handles(tensors)));
}

/** 16 hex digits. */
export function digestText(digest: bigint): string {
  return digest.toString(16).padStart(16, '0');
}

/** 16 hex digits over the bytes of a file: XXH64 over the XXH64 of every 4 MiB. */
export function fileDigest(path: string): string {
  return native.fileDigest(path, Number.MAX_SAFE_INTEGER);
}
