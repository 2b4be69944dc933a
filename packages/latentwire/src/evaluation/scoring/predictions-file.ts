/**
 * Reads a prediction file of the official layout, `{ "<question id>": "<answer text>", … }`, plain or gzip.
 */
import { parseJson, readDatasetFile } from '../../data/index.js';
import { LatentWireError } from '../../errors.js';

/** @throws LatentWireError `input` (unreadable) or `format` (not such an object; names the id). */
export function readPredictions(file: string): Map<string, string> {
  const json = parseJson(readDatasetFile(file).bytes, file);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    const got = Array.isArray(json) ? 'a list' : json === null ? 'null' : `a ${typeof json}`;
    throw new LatentWireError(`expected an object {id: answer} in ${file}, got ${got}`, { code: 'format' });
  }
  const predictions = new Map<string, string>();
  for (const [id, answer] of Object.entries(json)) {
    if (typeof answer !== 'string') {
      throw new LatentWireError(
        `expected the answer of ${JSON.stringify(id)} in ${file} to be a text, got ${JSON.stringify(answer)}`,
        { code: 'format', hint: 'an empty answer is the empty string ""' },
      );
    }
    predictions.set(id, answer);
  }
  return predictions;
}
