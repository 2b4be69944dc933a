/** Corrections for multiple comparisons. */
export { type AdjustedPValues, adjustPValues, CORRECTIONS, type Correction } from './adjust.js';
