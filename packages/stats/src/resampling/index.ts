/** Resampling: the engine, its designs, and bootstrap intervals. */
export {
  type BootstrapInterval,
  type BootstrapMethod,
  type BootstrapOptions,
  bootstrapCI,
} from './bootstrap.js';
export {
  type Design,
  type DesignLabels,
  type Labels,
  makeDesign,
  requireResamples,
  type TwoSamples,
} from './design.js';
export { type ResampleOptions, resampleDistribution, resampleSums } from './engine.js';
export { acceleration, bcaLimits, type Limits, percentileLimits, quantileSorted } from './interval.js';
export { runResamples, sharedFloat64, type Threads } from './parallel.js';
export { jackknife, makeStatistic, type StatisticFunction, type StatisticName } from './statistic.js';
export { CountResampler } from './tasks.js';
