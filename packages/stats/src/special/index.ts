/** Special functions in double precision; accuracy is measured against 40-digit values in special.test.ts. */
export { betaFactor, incompleteBeta, incompleteBetaFromOdds, meanGap } from './beta.js';
export { gammaFactor, HALF_LOG_TWO_PI, incompleteGamma, logGamma, SQRT_TWO_PI, type Tails } from './gamma.js';
export {
  erf,
  erfc,
  logNormalCdf,
  normalDensity,
  normalQuantile,
  normalTails,
  normalUpperQuantile,
} from './normal.js';
export { stirlingRemainder, xMinusLog1p } from './stirling.js';
