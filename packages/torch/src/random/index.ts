/** Counter-based randomness: Philox, named streams, computed permutations. */

export * from './generator.js';
export { epochOrder, KeyedPermutation, type PermutationKey, permute } from './permutation.js';
export { philox4x32 } from './philox.js';
export { RandomCursor, RandomRoot, type RandomState, RandomStream } from './streams.js';
