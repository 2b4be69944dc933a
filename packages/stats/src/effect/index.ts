/** Effect sizes with intervals. */
export { type CliffsDeltaResult, cliffsDelta } from './cliffs-delta.js';
export {
  type CohensDOptions,
  type CohensDResult,
  cohensD,
  type EffectMagnitude,
  hedgesFactor,
  interpretEffect,
  noncentralLimits,
} from './cohens-d.js';
export {
  clopperPearsonInterval,
  type OddsRatio,
  oddsRatio,
  type ProportionData,
  type ProportionInterval,
  type RiskDifference,
  riskDifference,
  wilsonInterval,
} from './proportions.js';
