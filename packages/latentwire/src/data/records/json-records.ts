/** Records of JSON lines (one object per line, blank lines allowed) and of one JSON list of objects. */
import { parseJson } from '../dataset-file.js';
import { describeValue, type Problems } from '../problems.js';
import type { DataRecord, TextFile } from './record.js';

/** Lines that are no JSON object are noted in `problems` and left out. */
export function jsonLineRecords({ text }: TextFile, problems: Problems): DataRecord[] {
  const records: DataRecord[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const place = `line ${index + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      problems.add(place, 'a JSON object', describeValue(line.trim()));
      continue;
    }
    if (isObject(value)) records.push({ fields: value, place });
    else problems.add(place, 'a JSON object', describeValue(value));
  }
  return records;
}

/** @throws LatentWireError `format` when the document is no JSON; items that are no objects are noted in `problems` */
export function jsonListRecords({ text, file }: TextFile, problems: Problems): DataRecord[] {
  const list = parseJson(Buffer.from(text, 'utf8'), file);
  if (!Array.isArray(list)) {
    problems.add('the document', 'a list of objects', describeValue(list));
    return [];
  }
  const records: DataRecord[] = [];
  for (const [index, item] of list.entries()) {
    if (isObject(item)) records.push({ fields: item, place: `[${index}]` });
    else problems.add(`[${index}]`, 'an object', describeValue(item));
  }
  return records;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
