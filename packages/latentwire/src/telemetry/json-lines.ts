/**
 * The one writer and reader of JSON-lines files. One record is one line is one write call, straight to the
 * file (nothing is buffered in the process), so after kill −9 the file ends with the last appended record.
 * One process writes a file at a time.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { LatentWireError } from '../errors.js';
import { type FileSystem, ioError, nodeFileSystem, writeFully } from './file-system.js';
import { type JsonRecord, stringifyRecord } from './json.js';

const NEWLINE = 0x0a;

export class JsonLinesWriter {
  readonly path: string;
  /** Bytes of a torn last line that were removed on opening; 0 when the file was whole. */
  readonly repairedBytes: number;
  readonly #system: FileSystem;
  #fd: number | undefined;
  /** Length of the file up to the last whole line. */
  #length: number;
  /** A failed append may have left part of a line behind `#length`. */
  #torn = false;

  /**
   * Opens `path` for appending and creates it when absent. A torn last line (from a crash) is removed, or
   * completed when only its newline is missing.
   * @throws LatentWireError `io`
   */
  constructor(path: string, options: { readonly fs?: FileSystem; readonly truncate?: boolean } = {}) {
    this.path = path;
    this.#system = options.fs ?? nodeFileSystem;
    try {
      const tail = options.truncate === true ? { length: 0, torn: new Uint8Array() } : readTail(path);
      this.#fd = this.#system.open(path, 'a');
      this.#length = tail.length;
      this.repairedBytes = this.#repair(tail.torn, options.truncate === true);
    } catch (error) {
      this.close();
      throw ioError('open', path, error);
    }
  }

  /**
   * Appends one record. After a failure the file still ends with the record before, and the next append may
   * succeed (a full disk that was freed).
   * @throws LatentWireError `io`
   */
  append(record: JsonRecord): void {
    if (this.#fd === undefined) {
      throw new LatentWireError(`expected ${this.path} to be open, got an append after close`, {
        code: 'internal',
      });
    }
    const line = Buffer.from(`${stringifyRecord(record)}\n`, 'utf8');
    try {
      if (this.#torn) this.#cutBack(this.#fd);
      this.#torn = true;
      writeFully(this.#system, this.#fd, line);
      this.#length += line.length;
      this.#torn = false;
    } catch (error) {
      try {
        this.#cutBack(this.#fd);
      } catch {
        // Stays marked as torn: the next append tries again before it writes.
      }
      throw ioError('append to', this.path, error);
    }
  }

  /** Makes everything appended so far survive a power failure. @throws LatentWireError `io` */
  sync(): void {
    if (this.#fd === undefined) return;
    try {
      this.#system.fsync(this.#fd);
    } catch (error) {
      throw ioError('sync', this.path, error);
    }
  }

  close(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    this.#system.close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #repair(torn: Uint8Array, truncate: boolean): number {
    const fd = this.#fd!;
    if (truncate) this.#cutBack(fd);
    if (torn.length === 0) return 0;
    if (isRecord(Buffer.from(torn).toString('utf8'))) {
      writeFully(this.#system, fd, Uint8Array.of(NEWLINE));
      this.#length += torn.length + 1;
      return 0;
    }
    this.#cutBack(fd);
    return torn.length;
  }

  #cutBack(fd: number): void {
    this.#system.truncate(fd, this.#length);
    this.#torn = false;
  }
}

/**
 * All records of a JSON-lines file, in file order. A torn last line (the writer is at work, or was killed) is
 * left out; an absent file has no records.
 * @throws LatentWireError `format` naming the line when a line before the last is not a JSON object.
 */
export function readJsonLines(path: string): JsonRecord[] {
  if (!existsSync(path)) return [];
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw ioError('read', path, error);
  }
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  const records = lines.map((line, index) => {
    const record = parseRecord(line);
    if (record !== undefined) return record;
    throw new LatentWireError(
      `expected a JSON object in ${path}:${index + 1}, got ${JSON.stringify(line.slice(0, 60))}`,
      {
        code: 'format',
        hint: 'the file was changed by something else: restore it from a copy, or delete that line',
      },
    );
  });
  const unfinished = parseRecord(last);
  return unfinished === undefined ? records : [...records, unfinished];
}

function parseRecord(line: string): JsonRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonRecord)
      : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(text: string): boolean {
  return parseRecord(text) !== undefined;
}

/** Length up to the last newline, and the bytes behind it. */
function readTail(path: string): { length: number; torn: Uint8Array } {
  if (!existsSync(path)) return { length: 0, torn: new Uint8Array() };
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    let start = size;
    let torn = Buffer.alloc(0);
    while (start > 0) {
      const from = Math.max(0, start - 65_536);
      const chunk = Buffer.alloc(start - from);
      readSync(fd, chunk, 0, chunk.length, from);
      const newline = chunk.lastIndexOf(NEWLINE);
      torn = Buffer.concat([chunk.subarray(newline + 1), torn]);
      if (newline >= 0) return { length: from + newline + 1, torn };
      start = from;
    }
    return { length: 0, torn };
  } finally {
    closeSync(fd);
  }
}
