/**
 * Replaces a file so that a reader, or a crash at any moment, sees the old content or the new, never a mix:
 * temporary file in the same directory, fsync, rename over the target, fsync of the directory.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { type FileSystem, ioError, nodeFileSystem, writeFully } from './file-system.js';
import { type JsonRecord, stringifyRecord } from './json.js';

const TEMPORARY = /^\.(?<target>.+)\.tmp-\d+-\d+$/;
let counter = 0;

/**
 * Writes `data` to `file` atomically and durably. On failure the old file is untouched and no temporary stays.
 * @throws LatentWireError `io` naming the file and the reason (disk full, …).
 */
export function writeFileAtomic(
  file: string,
  data: string | Uint8Array,
  system: FileSystem = nodeFileSystem,
): void {
  const directory = path.dirname(file);
  counter += 1;
  const temporary = path.join(directory, `.${path.basename(file)}.tmp-${process.pid}-${counter}`);
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
  let fd: number | undefined;
  try {
    fd = system.open(temporary, 'wx');
    writeFully(system, fd, bytes);
    system.fsync(fd);
    const closing = fd;
    fd = undefined;
    system.close(closing);
    system.rename(temporary, file);
  } catch (error) {
    attempt(() => fd !== undefined && system.close(fd));
    attempt(() => system.unlink(temporary));
    throw ioError('write', file, error);
  }
  syncDirectory(directory, system);
}

/** The same for a JSON document: two-space indent and a final newline, as people read these files. */
export function writeJsonAtomic(file: string, document: JsonRecord, system?: FileSystem): void {
  writeFileAtomic(file, `${stringifyRecord(document, 2)}\n`, system);
}

/** Makes renames in `directory` durable. @throws LatentWireError `io`. */
export function syncDirectory(directory: string, system: FileSystem = nodeFileSystem): void {
  let fd: number | undefined;
  try {
    fd = system.open(directory, 'r');
    system.fsync(fd);
  } catch (error) {
    // Some network file systems cannot fsync a directory; there the rename is as durable as it gets.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EINVAL' && code !== 'ENOTSUP') throw ioError('sync', directory, error);
  } finally {
    attempt(() => fd !== undefined && system.close(fd));
  }
}

/** Removes what a killed `writeFileAtomic` of one of `targets` (base names) left in `directory`. */
export function removeLeftovers(
  directory: string,
  targets: ReadonlySet<string>,
  system: FileSystem = nodeFileSystem,
): string[] {
  const leftovers = readdirSync(directory).filter((name) =>
    targets.has(TEMPORARY.exec(name)?.groups?.target ?? ''),
  );
  for (const name of leftovers) system.unlink(path.join(directory, name));
  return leftovers;
}

function attempt(action: () => unknown): void {
  try {
    action();
  } catch {
    // The first failure is the one to report.
  }
}
