/**
 * Reads a dataset file into memory: plain or gzip by content (never by name), UTF-8 checked, JSON errors with
 * line and column where the engine tells them. Every failure is a `LatentWireError` that names the file.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { LatentWireError } from '../errors.js';
import type { DatasetSource } from './example.js';

export interface DatasetBytes {
  readonly source: DatasetSource;
  /** The content, decompressed. */
  readonly bytes: Uint8Array;
}

/** Reads `file`, decompressing gzip. @throws LatentWireError `input` when unreadable, `format` when damaged. */
export function readDatasetFile(file: string): DatasetBytes {
  let raw: Buffer;
  try {
    if (!statSync(file).isFile()) {
      throw new LatentWireError(`expected a file at ${file}, got a directory or device`, { code: 'input' });
    }
    raw = readFileSync(file);
  } catch (error) {
    if (error instanceof LatentWireError) throw error;
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new LatentWireError(`cannot read dataset file ${file} (${reason})`, {
      code: 'input',
      hint: 'check the path and its permissions',
      cause: error,
    });
  }
  const source = { path: file, bytes: raw.length, sha256: createHash('sha256').update(raw).digest('hex') };
  if (raw[0] !== 0x1f || raw[1] !== 0x8b) return { source, bytes: raw };
  try {
    return { source, bytes: gunzipSync(raw) };
  } catch (error) {
    throw new LatentWireError(`${file} is a damaged gzip file (${(error as Error).message})`, {
      code: 'format',
      hint: 'copy or download it again',
      cause: error,
    });
  }
}

/** The text of a file. @throws LatentWireError `format` when it is not UTF-8 */
export function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new LatentWireError(`expected UTF-8 text in ${file}, got bytes that are not`, {
      code: 'format',
      cause: error,
    });
  }
}

/** Decodes and parses JSON. @throws LatentWireError `format` naming the file and, where the engine tells, line and column. */
export function parseJson(bytes: Uint8Array, file: string): unknown {
  const text = decodeUtf8(bytes, file);
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as SyntaxError;
    const position = /at position (\d+)/.exec(message)?.[1];
    const place = position === undefined ? '' : `:${lineAndColumn(text, Number(position))}`;
    throw new LatentWireError(`${file}${place} is not valid JSON: ${message.split('\n', 1)[0]}`, {
      code: 'format',
      hint: text.trim() === '' ? 'the file is empty' : 'the file may be truncated: copy or download it again',
      cause: error,
    });
  }
}

function lineAndColumn(text: string, position: number): string {
  const before = text.slice(0, position).split('\n');
  return `${before.length}:${before[before.length - 1]!.length + 1}`;
}
