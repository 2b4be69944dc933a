/**
 * Reads a configuration file (YAML; JSON is part of YAML, so a run's config.json works too) into assignments
 * that remember line and column. Wrong syntax and unknown keys are refused here, wrong values by the schema.
 */
import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, type ParsedNode, parseDocument, type YAMLMap } from 'yaml';
import { LatentWireError } from '../errors.js';
import { type Assignment, readAbsent } from './assignment.js';
import { configGroups, findField, suggestPath } from './fields.js';

/**
 * Assignments of a configuration file, in file order.
 * @throws LatentWireError `input` naming file, line and column.
 */
export function readConfigFile(file: string): Assignment[] {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new LatentWireError(`cannot read config file ${file} (${reason})`, { code: 'input', cause: error });
  }
  return parseConfigText(source, file);
}

/** The same from text; `file` names it in errors. */
export function parseConfigText(source: string, file: string): Assignment[] {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const plain = (node: ParsedNode | null): unknown => {
    try {
      return node?.toJS(document);
    } catch (error) {
      // Unknown aliases, and aliases of aliases that would grow without bound.
      const place = at(node?.range[0] ?? 0);
      throw new LatentWireError(`${place}: ${(error as Error).message}`, { code: 'input', cause: error });
    }
  };
  const problem = document.errors[0];
  if (problem !== undefined) {
    throw new LatentWireError(`${at(problem.pos[0])}: ${problem.message}`, { code: 'input', cause: problem });
  }
  if (document.contents === null) return [];
  const root = mapOf(document.contents, at(0), 'groups of settings');
  const assignments: Assignment[] = [];
  for (const [name, value, offset] of entries(root)) {
    const group = configGroups.find((candidate) => candidate.name === name);
    if (group === undefined) throw unknownKey(name, at(offset));
    if (isScalar(value) && value.value === null) continue; // a group with all its lines commented out
    for (const [key, node, keyOffset] of entries(mapOf(value, at(offset), `settings of ${name}`))) {
      const path = `${name}.${key}`;
      const field = findField(path);
      if (field === undefined) throw unknownKey(path, at(keyOffset));
      assignments.push({ path, value: readAbsent(field, plain(node)), origin: at(keyOffset) });
    }
  }
  return assignments;
}

function* entries(map: YAMLMap.Parsed): Generator<[name: string, value: ParsedNode | null, offset: number]> {
  for (const { key, value } of map.items) {
    yield [isScalar(key) ? String(key.value) : String(key), value, key.range[0]];
  }
}

function mapOf(node: ParsedNode | null, place: string, what: string): YAMLMap.Parsed {
  if (node !== null && isMap(node)) return node as YAMLMap.Parsed;
  throw new LatentWireError(`${place}: expected ${what} ("key: value" lines), got something else`, {
    code: 'input',
    hint: 'for example\n  training:\n    batch_size: 8',
  });
}

function unknownKey(path: string, place: string): LatentWireError {
  return new LatentWireError(`${place}: unknown setting ${JSON.stringify(path)}`, {
    code: 'input',
    hint: suggestPath(path),
  });
}
