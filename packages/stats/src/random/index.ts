/** Counter-based seeding and the per-resample generator. */
export { philox } from './philox.js';
export { nextBelow, nextUniform, nextWord, Purpose, seedStream } from './xoshiro.js';
