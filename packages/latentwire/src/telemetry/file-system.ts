/**
 * The write-side system calls that run files depend on, as an interface, so that tests can make any of them
 * fail the way disks do (full, broken, read-only, killed half-way).
 */
import fs from 'node:fs';
import { LatentWireError } from '../errors.js';

export interface FileSystem {
  /** @param flags as of open(2) in Node's spelling: 'wx', 'a', 'r' */
  open(path: string, flags: string): number;
  /** Returns the number of bytes taken, which may be fewer than given. */
  write(fd: number, bytes: Uint8Array): number;
  fsync(fd: number): void;
  truncate(fd: number, length: number): void;
  close(fd: number): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
}

export const nodeFileSystem: FileSystem = {
  open: (path, flags) => fs.openSync(path, flags, 0o644),
  write: (fd, bytes) => fs.writeSync(fd, bytes),
  fsync: fs.fsyncSync,
  truncate: fs.ftruncateSync,
  close: fs.closeSync,
  rename: fs.renameSync,
  unlink: fs.unlinkSync,
};

/** Writes all of `bytes`, going on after short writes. */
export function writeFully(system: FileSystem, fd: number, bytes: Uint8Array): void {
  let rest = bytes;
  while (rest.length > 0) {
    const taken = system.write(fd, rest);
    if (taken <= 0) throw Object.assign(new Error('write took no bytes'), { code: 'EIO' });
    rest = rest.subarray(taken);
  }
}

const REASONS: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  ENOSPC: ['the disk is full', 'free space on that file system, then continue the run'],
  EDQUOT: ['the disk quota is used up', 'free space within your quota, then continue the run'],
  EIO: ['the disk reports an error', 'check the disk or the network file system'],
  EROFS: ['the file system is read-only', 'choose another folder with --save-dir'],
  EACCES: ['no permission', 'make it writable for you, or choose another folder with --save-dir'],
  EPERM: ['no permission', 'make it writable for you, or choose another folder with --save-dir'],
  ENOENT: ['a folder on the way there does not exist', 'make it, or check where a link on the way leads'],
  ENOTDIR: ['a file is in place of a folder', 'choose another folder with --save-dir'],
  EMFILE: ['too many open files', 'raise the limit (ulimit -n)'],
};

/** A failed system call on `path` as a `LatentWireError` of code `io`; other errors are wrapped the same way. */
export function ioError(action: string, path: string, cause: unknown): LatentWireError {
  if (cause instanceof LatentWireError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  const known = REASONS[code];
  const reason = known?.[0] ?? (cause instanceof Error ? cause.message : String(cause));
  return new LatentWireError(`cannot ${action} ${path}: ${reason}${known ? ` (${code})` : ''}`, {
    code: 'io',
    ...(known && { hint: known[1] }),
    cause,
  });
}
