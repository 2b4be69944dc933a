/** Counter-based seeding and the per-resample generator. */
export { philox } from './philox.js';
export { EXACT_BOUND, nextBelow, nextUniform, nextWord, Purpose, seedStream } from './xoshiro.js';
