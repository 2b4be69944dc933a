/** Content identity of a model in memory: what a cache of its outputs, or a checkpoint made with it, refers to. */
import { createHash } from 'node:crypto';
import * as t from '@latentwire/torch';
import type { LanguageModel } from './language-model.js';
import { namedWeights } from './weights.js';

const digests = new WeakMap<LanguageModel, string>();

/**
 * sha256, hex, of configuration, names, dtypes and shapes of the weights, and a fast digest of the bytes of each. It depends
 * on the dtype the model was loaded with, not on the file it came from. Read once per model, at the speed of memory.
 */
export function modelDigest(model: LanguageModel): string {
  let digest = digests.get(model);
  if (digest === undefined) {
    const hash = createHash('sha256').update(JSON.stringify(sorted(model.config)), 'utf8');
    const weights = [...namedWeights(model.weights)];
    const bytes = t.tensorDigests(weights.map(([, tensor]) => tensor));
    weights.forEach(([name, tensor], i) => {
      hash.update(`\n${name} ${tensor.dtype} [${tensor.shape}] ${t.digestText(bytes[i]!)}`, 'utf8');
    });
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
