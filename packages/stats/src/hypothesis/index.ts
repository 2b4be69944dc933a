/** Hypothesis tests. */
export { type MannWhitneyOptions, type MannWhitneyResult, mannWhitneyU } from './mann-whitney.js';
export {
  type McNemarData,
  type McNemarMethod,
  type McNemarOptions,
  type McNemarResult,
  mcnemarPValue,
  mcnemarTest,
  type PairedTable,
} from './mcnemar.js';
export {
  type PairedBootstrapOptions,
  type PairedBootstrapResult,
  pairedBootstrapTest,
} from './paired-bootstrap.js';
export {
  type PermutationOptions,
  type PermutationResult,
  permutationTest,
  type TwoSampleStatistic,
} from './permutation.js';
export type { Alternative, ConfidenceInterval, TestResult } from './result.js';
export {
  errorOfMean,
  type IndependentTTestOptions,
  independentTTest,
  type PairedTTestOptions,
  pairedTTest,
  type TTestResult,
} from './t-test.js';
export { type WilcoxonOptions, type WilcoxonResult, wilcoxonSignedRank } from './wilcoxon.js';
