/**
 * JSON for file headers: UTF-8 must be valid and no object may have the same key twice. `JSON.parse` takes the
 * last of two equal keys, so two readers could see different tensors in the same file.
 */

/** A reason that can be put after a file name. */
export class JsonFault extends Error {}

/** The JSON object in `bytes`. Throws JsonFault. */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonFault('expected UTF-8 text, got invalid bytes');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new JsonFault(`expected JSON, ${(error as Error).message.replace(/\s+/g, ' ').slice(0, 160)}`);
  }
  if (!isObject(value)) throw new JsonFault(`expected a JSON object, got ${describe(value)}`);
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw new JsonFault(`the key ${JSON.stringify(duplicate)} occurs twice`);
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as it should stand in a message: short, and of one line. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

/** First repeated key of any object in `text`, which is known to be valid JSON. */
function findDuplicateKey(text: string): string | undefined {
  // One entry per open bracket: the keys seen so far, or null for an array.
  const open: (Set<string> | null)[] = [];
  let i = 0;
  while (i < text.length) {
    const char = text[i]!;
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(null);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(text, i);
      const keys = open.at(-1);
      if (keys && nextCharacter(text, end) === ':') {
        const key = JSON.parse(text.slice(i, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      i = end;
      continue;
    }
    i++;
  }
  return undefined;
}

/** Index after the closing quote of the string that starts at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i + 1;
}

function nextCharacter(text: string, from: number): string | undefined {
  let i = from;
  while (text[i] === ' ' || text[i] === '\n' || text[i] === '\r' || text[i] === '\t') i++;
  return text[i];
}
