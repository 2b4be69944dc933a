/** Content identity of a model in memory: what a cache of its outputs, or a checkpoint made with it, refers to. */
import { createHash } from 'node:crypto';
import type { LanguageModel } from './language-model.js';
import { namedWeights } from './weights.js';

const digests = new WeakMap<LanguageModel, string>();

/**
 * sha256 of configuration and weights (names, dtypes, shapes, bytes), hex. It depends on the dtype the model was loaded
 * with, not on the file it came from. Read once per model: about a second per gigabyte.
 */
export function modelDigest(model: LanguageModel): string {
  let digest = digests.get(model);
  if (digest === undefined) {
    const hash = createHash('sha256').update(JSON.stringify(sorted(model.config)), 'utf8');
    for (const [name, tensor] of namedWeights(model.weights)) {
      hash.update(`\n${name} ${tensor.dtype} [${tensor.shape}]\n`, 'utf8').update(tensor.toBytes());
    }
    digest = hash.digest('hex');
    digests.set(model, digest);
  }
  return digest;
}

/** Keys in one order, however the object was made. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
