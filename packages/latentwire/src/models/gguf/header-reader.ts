/**
 * Sequential reader of a GGUF file's header: little-endian scalars and strings through one sliding
 * window, so that a 40 GB file costs a megabyte of memory. Every length read from the file is checked
 * against the bytes that are left before anything is allocated.
 */
import * as fs from 'node:fs';
import { LatentWireError } from '../../errors.js';

const WINDOW_BYTES = 1 << 20;
/** Longest string accepted: chat templates and vocabularies stay far below it. */
const MAX_STRING_BYTES = 1 << 24;

export class HeaderReader {
  #window = Buffer.alloc(0);
  #windowStart = 0;
  #cursor = 0; // within the window

  constructor(
    readonly path: string,
    readonly fd: number,
    readonly fileBytes: number,
  ) {}

  /** Bytes from the start of the file to the next unread byte. */
  get position(): number {
    return this.#windowStart + this.#cursor;
  }

  get remaining(): number {
    return this.fileBytes - this.position;
  }

  u8(field: string): number {
    const at = this.#take(1, field);
    return this.#window.readUInt8(at);
  }

  i8(field: string): number {
    const at = this.#take(1, field);
    return this.#window.readInt8(at);
  }

  u16(field: string): number {
    const at = this.#take(2, field);
    return this.#window.readUInt16LE(at);
  }

  i16(field: string): number {
    const at = this.#take(2, field);
    return this.#window.readInt16LE(at);
  }

  u32(field: string): number {
    const at = this.#take(4, field);
    return this.#window.readUInt32LE(at);
  }

  i32(field: string): number {
    const at = this.#take(4, field);
    return this.#window.readInt32LE(at);
  }

  f32(field: string): number {
    const at = this.#take(4, field);
    return this.#window.readFloatLE(at);
  }

  f64(field: string): number {
    const at = this.#take(8, field);
    return this.#window.readDoubleLE(at);
  }

  u64(field: string): bigint {
    const at = this.#take(8, field);
    return this.#window.readBigUInt64LE(at);
  }

  i64(field: string): bigint {
    const at = this.#take(8, field);
    return this.#window.readBigInt64LE(at);
  }

  bytes(count: number, field: string): Buffer {
    const start = this.#take(count, field);
    return this.#window.subarray(start, start + count);
  }

  /**
   * A count of things that take at least `bytesEach` bytes in the rest of the file: a corrupt count is
   * refused here, before any loop or allocation depends on it.
   */
  count(bytesEach: number, field: string): number {
    const count = this.u64(field);
    const most = Math.floor(this.remaining / bytesEach);
    if (count > BigInt(most)) this.fail(field, `at most ${most} (the file ends before more)`, String(count));
    return Number(count);
  }

  /** A string: u64 byte length, then UTF-8. Bytes that are not UTF-8 become U+FFFD, as everywhere in Node. */
  string(field: string): string {
    const length = this.count(1, `length of ${field}`);
    if (length > MAX_STRING_BYTES) {
      this.fail(field, `a string of at most ${MAX_STRING_BYTES} bytes`, `${length} bytes`);
    }
    const start = this.#take(length, field);
    return this.#window.toString('utf8', start, start + length);
  }

  fail(field: string, expected: string, got: string, hint?: string): never {
    throw new LatentWireError(`${this.path}: ${field}: expected ${expected}, got ${got}`, {
      code: 'format',
      hint: hint ?? 'the file is damaged or no GGUF; download it again',
    });
  }

  /** Makes the next `count` bytes part of the window (which may be a new one after this call) and steps over
   * them; returns where they start in it. */
  #take(count: number, field: string): number {
    if (this.#cursor + count > this.#window.length) this.#refill(count, field);
    const start = this.#cursor;
    this.#cursor += count;
    return start;
  }

  #refill(count: number, field: string): void {
    const start = this.position;
    if (start + count > this.fileBytes) {
      this.fail(field, `${count} bytes at offset ${start}`, `end of file at ${this.fileBytes}`);
    }
    const size = Math.min(Math.max(WINDOW_BYTES, count), this.fileBytes - start);
    const window = Buffer.allocUnsafe(size);
    let filled = 0;
    while (filled < size) {
      const read = fs.readSync(this.fd, window, filled, size - filled, start + filled);
      if (read === 0)
        this.fail(field, `${count} bytes at offset ${start}`, `end of file at ${start + filled}`);
      filled += read;
    }
    this.#window = window;
    this.#windowStart = start;
    this.#cursor = 0;
  }
}
