/** Reading what was appended to a log since the last look. */
import { closeSync, openSync, readSync } from 'node:fs';

/** Bytes [from, to) of a file as text; what is not there (yet) is left out. */
export function readPart(file: string, from: number, to: number): string {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, to - from));
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, from));
  } finally {
    closeSync(fd);
  }
}
