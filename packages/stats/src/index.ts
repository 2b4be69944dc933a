/** Statistical testing for model evaluation. */
export * from './distributions/index.js';
export { StatsError, type Warning, type WarningCode } from './errors.js';
export {
  type BootstrapInterval,
  type BootstrapMethod,
  type BootstrapOptions,
  bootstrapCI,
} from './resampling/index.js';
