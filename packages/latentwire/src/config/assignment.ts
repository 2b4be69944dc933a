/** One setting with the place it was written at; flags, `--set` and file keys all become these. */
import { parse, YAMLError } from 'yaml';
import { LatentWireError } from '../errors.js';
import { type ConfigField, fieldAt } from './fields.js';

export interface Assignment {
  /** `group.key` */
  readonly path: string;
  readonly value: unknown;
  /** Where it was written, as an error names it: `--lr`, `run.yaml:3:7`. */
  readonly origin: string;
  /** Adds to the list that flags before it began (a repeated `--model`), in place of replacing it. */
  readonly append?: boolean;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
/** Words for "no value" where a field may be absent. */
const ABSENT = new Set(['none', 'null', 'all']);

/** A flag's text as an assignment. A text that does not fit the field stays text, for the schema to refuse. */
export function assignText(field: ConfigField, text: string, origin: string): Assignment {
  const append = field.kind === 'list' && !text.trimStart().startsWith('[');
  const value = readText(field, text, origin);
  return { path: field.path, value, origin, ...(append && { append }) };
}

/** `--set group.key=value`. @throws LatentWireError `input` on a missing `=` or an unknown key. */
export function assignPair(pair: string): Assignment {
  const equals = pair.indexOf('=');
  if (equals < 1) {
    throw new LatentWireError(`--set: expected group.key=value, got ${JSON.stringify(pair)}`, {
      code: 'input',
      hint: 'for example --set training.batch_size=8',
    });
  }
  const path = pair.slice(0, equals).trim();
  const { append: _, ...assignment } = assignText(
    fieldAt(path, '--set'),
    pair.slice(equals + 1).trim(),
    `--set ${path}`,
  );
  return assignment;
}

/** null for the words that mean "absent", where the field allows it; anything else unchanged. */
export function readAbsent(field: ConfigField, value: unknown): unknown {
  return field.nullable === true && typeof value === 'string' && ABSENT.has(value.toLowerCase())
    ? null
    : value;
}

function readText(field: ConfigField, text: string, origin: string): unknown {
  const value = readAbsent(field, text);
  if (value === null) return null;
  switch (field.kind) {
    case 'integer':
    case 'number':
      return NUMBER.test(text) ? Number(text) : text;
    case 'toggle':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'list':
      return text.trimStart().startsWith('[') ? parseList(text, origin) : [text];
    case 'text':
    case 'choice':
      return text;
  }
}

function parseList(text: string, origin: string): unknown {
  try {
    return parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof YAMLError)) throw error;
    throw new LatentWireError(`${origin}: expected a list like [a, b], got ${JSON.stringify(text)}`, {
      code: 'input',
    });
  }
}
