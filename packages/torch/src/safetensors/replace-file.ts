/**
 * Replaces a file in one step: at every moment, also after a crash or a power cut, the path holds either the
 * whole old file or the whole new one. Temporary file in the same folder, fsync, rename, fsync of the folder.
 *
 * The temporary name is `.<name>.<host>-<pid>-<n>.tmp`. A writer that was killed leaves one behind; the next
 * replacement of the same path removes it.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';

/** The calls on the operating system, replaceable to inject faults in tests. */
export interface FileOperations {
  openSync(path: string, flags: string): number;
  writeSync(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number;
  fsyncSync(fd: number): void;
  closeSync(fd: number): void;
  renameSync(from: string, to: string): void;
  unlinkSync(path: string): void;
  readdirSync(path: string): string[];
}

/** A file being written: append, or overwrite what was already appended. */
export interface FileWriter {
  /** Bytes appended so far. */
  readonly size: number;
  append(bytes: Uint8Array): void;
  overwrite(position: number, bytes: Uint8Array): void;
}

export interface ReplaceOptions {
  /** Called with the temporary path once its bytes are on the device; a throw keeps the old file. */
  readonly verify?: (temporaryPath: string) => void;
  readonly operations?: FileOperations;
}

/** A temporary file of another host, or of a process that reused an id, is stale once untouched this long. */
const STALE_AFTER_MS = 3_600_000;

const active = new Set<string>();
let serial = 0;

/**
 * Puts what `write` writes in place of `path`. Throws what the operating system, `write` or `verify` throws;
 * the old file is then untouched and the temporary file removed.
 */
export function replaceFile(
  path: string,
  write: (file: FileWriter) => void,
  options: ReplaceOptions = {},
): void {
  const operations = options.operations ?? fs;
  const folder = dirname(path);
  removeStale(path, operations);
  const temporary = claimTemporary(path);
  try {
    writeDurably(temporary, write, operations);
    options.verify?.(temporary);
    operations.renameSync(temporary, path);
  } catch (error) {
    try {
      operations.unlinkSync(temporary);
    } catch {
      // The next replacement removes it; the first error is the one to report.
    }
    throw error;
  } finally {
    releaseTemporary(temporary);
  }
  syncFolder(folder, operations);
}

/** A free name for the temporary file of a replacement of `path`; {@link removeStale} leaves it alone until released. */
export function claimTemporary(path: string): string {
  const name = `${temporaryPrefix(path)}${process.pid}-${threadId}.${serial++}.tmp`;
  const temporary = join(dirname(path), name);
  active.add(temporary);
  return temporary;
}

export function releaseTemporary(temporary: string): void {
  active.delete(temporary);
}

function writeDurably(path: string, write: (file: FileWriter) => void, operations: FileOperations): void {
  const fd = operations.openSync(path, 'wx');
  try {
    let size = 0;
    write({
      get size() {
        return size;
      },
      append(bytes) {
        writeAll(fd, bytes, size, operations);
        size += bytes.byteLength;
      },
      overwrite(position, bytes) {
        writeAll(fd, bytes, position, operations);
      },
    });
    operations.fsyncSync(fd);
  } catch (error) {
    try {
      operations.closeSync(fd);
    } catch {
      // The error that led here is the one to report.
    }
    throw error;
  }
  operations.closeSync(fd);
}

/** The operating system may take fewer bytes than it was given; the rest is offered again. */
function writeAll(fd: number, bytes: Uint8Array, position: number, operations: FileOperations): void {
  let done = 0;
  while (done < bytes.byteLength) {
    const written = operations.writeSync(fd, bytes, done, bytes.byteLength - done, position + done);
    if (written === 0) throw new Error(`the device took none of ${bytes.byteLength - done} bytes`);
    done += written;
  }
}

/** Makes the rename durable. Some network file systems cannot sync a folder; they order renames themselves. */
function syncFolder(folder: string, operations: FileOperations): void {
  const fd = operations.openSync(folder, 'r');
  try {
    operations.fsyncSync(fd);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EINVAL' && code !== 'ENOTSUP') throw error;
  } finally {
    operations.closeSync(fd);
  }
}

function temporaryPrefix(path: string): string {
  const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
  return `.${basename(path)}.${host}-`;
}

/** Removes temporary files of writers of `path` that are gone. Never fails: they only cost space. */
export function removeStale(path: string, operations: FileOperations = fs): void {
  const folder = dirname(path);
  const anyHost = `.${basename(path)}.`;
  const thisHost = temporaryPrefix(path);
  try {
    for (const name of operations.readdirSync(folder)) {
      if (!name.startsWith(anyHost)) continue;
      const writer = /^[0-9a-f]{8}-(\d+)-(\d+)\.\d+\.tmp$/.exec(name.slice(anyHost.length));
      const candidate = join(folder, name);
      if (writer === null || active.has(candidate)) continue;
      const gone = name.startsWith(thisHost) && !isAnotherWriter(Number(writer[1]), Number(writer[2]));
      if (gone || Date.now() - fs.statSync(candidate).mtimeMs > STALE_AFTER_MS)
        operations.unlinkSync(candidate);
    }
  } catch {
    // A folder that cannot be listed fails with a better message when the file is opened.
  }
}

/** Our own process and thread ids count as gone: what this thread still writes is in `active`. */
function isAnotherWriter(pid: number, thread: number): boolean {
  if (pid === process.pid) return thread !== threadId;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
