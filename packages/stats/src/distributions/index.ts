/** Probability distributions: both tails computed directly, quantiles by inversion, noncentral forms for power. */
export { beta, binomial, chiSquared, fisherF, normal, studentT } from './central.js';
export { noncentralChiSquared, noncentralF, noncentralT } from './noncentral.js';
export { brentRoot, monotoneRoot } from './solve.js';
