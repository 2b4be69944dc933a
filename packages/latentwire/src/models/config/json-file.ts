/**
 * JSON files of a model folder: read, parse and check against a schema, with errors that name file and field.
 */
import * as fs from 'node:fs';
import type { z } from 'zod';
import { LatentWireError } from '../../errors.js';

/** Text of a UTF-8 file. @throws LatentWireError 'input' when it does not exist, 'io' when it cannot be read. */
export function readTextFile(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new LatentWireError(`${path}: expected a readable file, got ${code ?? String(cause)}`, {
      code: code === 'ENOENT' ? 'input' : 'io',
      cause,
    });
  }
}

/** @param path names the file in errors. */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch (cause) {
    throw new LatentWireError(`${path}: expected JSON, got: ${(cause as Error).message}`, {
      code: 'format',
      hint: 'the file is damaged or incomplete; download it again',
      cause,
    });
  }
}

/** `value` as the schema's output type; otherwise an error that names the first field that does not fit. */
export function checkJson<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  path: string,
): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.length === 0 ? 'the document' : issue.path.map(String).join('.');
  throw new LatentWireError(`${path}: field '${field}': ${describeIssue(issue)}`, { code: 'format' });
}

export function readJson<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  return checkJson(schema, parseJson(readTextFile(path), path), path);
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const input = JSON.stringify(issue.input) ?? 'nothing';
  const got = input.length > 60 ? `${input.slice(0, 60)}…` : input;
  if (issue.code === 'invalid_type') return `expected ${issue.expected}, got ${got}`;
  return `${issue.message.replace(/^Invalid input: /, '')}, got ${got}`;
}
