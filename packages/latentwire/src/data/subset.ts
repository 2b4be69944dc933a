/**
 * A seeded subset: the first `samples` places of a random order. Costs O(samples), depends on nothing but its
 * arguments, and a smaller subset of the same order is a prefix of a larger one, so that results for 1k, 5k
 * and 10k samples are nested.
 *
 * Usage: `takeSubset(examples, config.data.samples, epochOrder(examples.length, root.stream('subset'), 0))`
 */
import { LatentWireError } from '../errors.js';

/** A permutation of 0 … size−1 that can be asked for any place (`KeyedPermutation` of @latentwire/torch). */
export interface Order {
  readonly size: number;
  at(place: number): number;
}

/**
 * The first `samples` indices of `order`; all of them when `samples` is null or at least the size.
 * @throws LatentWireError `input` when `samples` is not a positive integer.
 */
export function subsetIndices(samples: number | null, order: Order): number[] {
  if (samples !== null && !(Number.isInteger(samples) && samples >= 1)) {
    throw new LatentWireError(`expected samples to be an integer ≥ 1, got ${samples}`, { code: 'input' });
  }
  const count = Math.min(order.size, samples ?? order.size);
  return Array.from({ length: count }, (_, place) => order.at(place));
}

/** The items at `subsetIndices`. @throws LatentWireError `internal` when the order is not of these items. */
export function takeSubset<T>(items: readonly T[], samples: number | null, order: Order): T[] {
  if (order.size !== items.length) {
    throw new LatentWireError(`expected an order of ${items.length} items, got one of ${order.size}`, {
      code: 'internal',
    });
  }
  return subsetIndices(samples, order).map((index) => items[index]!);
}
