/** Planning: power, sample size, detectable effect. */
export { type DetectableSpec, minimumDetectableEffect } from './detectable.js';
export { power, requiredSamples } from './power.js';
export { type RequiredSeedsOptions, type RequiredSeedsResult, requiredSeeds } from './seeds.js';
export type {
  DetectableEffectResult,
  IndependentTSpec,
  McNemarSpec,
  PairedTSpec,
  PilotSpec,
  PowerResult,
  PowerTest,
  ProportionsSpec,
  RequiredSamplesResult,
  TestSpec,
} from './spec.js';
export { independentTPower, pairedTPower, tPower } from './t-power.js';
