/**
 * `@latentwire/stats`: statistical testing for the evaluation of models. docs/STATISTICS.md says which test to use when.
 * Every result names its method, its sample sizes and its warnings; every error names the argument and the index at fault.
 */
export * from './comparison/index.js';
export * from './distributions/index.js';
export {
  type CliffsDeltaResult,
  type CohensDOptions,
  type CohensDResult,
  cliffsDelta,
  clopperPearsonInterval,
  cohensD,
  type EffectMagnitude,
  interpretEffect,
  type OddsRatio,
  oddsRatio,
  type ProportionData,
  type ProportionInterval,
  type RiskDifference,
  riskDifference,
  wilsonInterval,
} from './effect/index.js';
export { StatsError, type StatsErrorOptions, type Warning, type WarningCode } from './errors.js';
export {
  type Alternative,
  type ConfidenceInterval,
  type IndependentTTestOptions,
  independentTTest,
  type MannWhitneyOptions,
  type MannWhitneyResult,
  type McNemarData,
  type McNemarMethod,
  type McNemarOptions,
  type McNemarResult,
  mannWhitneyU,
  mcnemarTest,
  type PairedBootstrapOptions,
  type PairedBootstrapResult,
  type PairedTable,
  type PairedTTestOptions,
  type PermutationOptions,
  type PermutationResult,
  pairedBootstrapTest,
  pairedTTest,
  permutationTest,
  type TestResult,
  type TTestResult,
  type TwoSampleStatistic,
  type WilcoxonOptions,
  type WilcoxonResult,
  wilcoxonSignedRank,
} from './hypothesis/index.js';
export type { LabelArray, NumericArray } from './input/index.js';
export { type AdjustedPValues, adjustPValues, CORRECTIONS, type Correction } from './multiplicity/index.js';
export {
  type AggregateOptions,
  type ClusteredOptions,
  type ClusteredStandardError,
  clusteredStandardError,
  type HierarchicalData,
  type HierarchicalInterval,
  type HierarchicalOptions,
  hierarchicalBootstrap,
  interquartileMean,
  type ProbabilityOfImprovement,
  probabilityOfImprovement,
  type RunsByTask,
  type SeedsByItems,
} from './multiseed/index.js';
export {
  type DetectableEffectResult,
  type DetectableSpec,
  minimumDetectableEffect,
  type PowerResult,
  type PowerTest,
  power,
  type RequiredSamplesResult,
  type RequiredSeedsOptions,
  type RequiredSeedsResult,
  requiredSamples,
  requiredSeeds,
  type TestSpec,
} from './power/index.js';
export * from './report/index.js';
export {
  type BootstrapInterval,
  type BootstrapMethod,
  type BootstrapOptions,
  bootstrapCI,
  type Labels,
  type StatisticFunction,
  type StatisticName,
  type Threads,
  type TwoSamples,
} from './resampling/index.js';
