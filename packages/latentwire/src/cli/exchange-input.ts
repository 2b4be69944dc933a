/** What `encode` and `decode` read and write: texts, JSON lines, messages in base64. */
import { readFileSync } from 'node:fs';
import { type Assignment, assignText, findField } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import { type JsonRecord, writeFileAtomic } from '../telemetry/index.js';

/** @throws LatentWireError `input` unless exactly one of the options is given */
export function exactlyOne(options: object, names: readonly string[]): void {
  const given = names.filter((name) => (options as Record<string, unknown>)[name] !== undefined);
  if (given.length === 1) return;
  const flags = (list: readonly string[]): string => list.map((name) => `--${name}`).join(', ');
  throw new LatentWireError(
    `expected one of ${flags(names)}, got ${given.length === 0 ? 'none' : flags(given)}`,
    { code: 'input' },
  );
}

export async function inputText(o: { text?: string; file?: string; stdin?: true }): Promise<string> {
  if (o.text !== undefined) return o.text;
  if (o.file === undefined) return decodeUtf8(await standardInput(), 'standard input');
  try {
    return decodeUtf8(readFileSync(o.file), o.file);
  } catch (cause) {
    if (cause instanceof LatentWireError) throw cause;
    throw inputFailure(o.file, cause);
  }
}

/**
 * The rows of a JSON lines file.
 * @param fields which texts a row has; `id` may also be a number
 * @param defaults for fields that a row leaves out
 */
export function readRows(
  file: string,
  fields: Readonly<Record<string, 'text' | 'optional'>>,
  defaults: Readonly<Record<string, string | undefined>>,
): Record<string, string>[] {
  let text: string;
  try {
    text = decodeUtf8(readFileSync(file), file);
  } catch (cause) {
    if (cause instanceof LatentWireError) throw cause;
    throw inputFailure(file, cause);
  }
  const rows: Record<string, string>[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() !== '') rows.push(readRow(line, `${file}, line ${i + 1}`, fields, defaults));
  }
  if (rows.length > 0) return rows;
  throw new LatentWireError(`${file}: expected at least one line, got none`, { code: 'input' });
}

function readRow(
  line: string,
  where: string,
  fields: Readonly<Record<string, 'text' | 'optional'>>,
  defaults: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const failure = (expected: string, got: string): LatentWireError =>
    new LatentWireError(`${where}: expected ${expected}, got ${got}`, {
      code: 'input',
      hint: `a line is for example ${JSON.stringify(Object.fromEntries(Object.keys(fields).map((f) => [f, '…'])))}`,
    });
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    throw failure('a JSON object', line.slice(0, 40));
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw failure('a JSON object', line.slice(0, 40));
  }
  const result: Record<string, string> = {};
  for (const [name, kind] of Object.entries(fields)) {
    const value = (row as Record<string, unknown>)[name] ?? defaults[name];
    if (value === undefined && kind === 'optional') continue;
    if (name === 'id' && typeof value === 'number') result[name] = String(value);
    else if (typeof value === 'string') result[name] = value;
    else
      throw failure(`a text as ${name}`, value === undefined ? 'none' : JSON.stringify(value).slice(0, 40));
  }
  return result;
}

/** Bytes of a message in a JSON line. */
export function base64Bytes(text: string, index: number, file: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64').replaceAll('=', '') === text.replaceAll('=', '')) return bytes;
  throw new LatentWireError(`${file}: expected message ${index + 1} in base64, got ${text.slice(0, 24)}`, {
    code: 'format',
  });
}

export function writeRows(file: string, rows: readonly JsonRecord[]): void {
  writeFileAtomic(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** An option that stands for a setting of the run, as an assignment; none when it is not given. */
export function settingOf(flag: string, path: string, text: string | undefined): Assignment[] {
  return text === undefined ? [] : [assignText(findField(path)!, text, flag)];
}

export function inputFailure(file: string, cause: unknown): LatentWireError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LatentWireError(`cannot read ${file}: ${reason}`, { code: 'input', cause });
}

function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LatentWireError(`${where}: expected UTF-8 text`, { code: 'input', cause });
  }
}

async function standardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
