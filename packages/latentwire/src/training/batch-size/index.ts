/** Examples per step and micro-batch: the policy, and the search behind `--batch-size auto`. */
export {
  type BatchSizeRecord,
  batchSizeMetrics,
  type ChooseOptions,
  type ChosenBatchSize,
  chooseBatchSize,
  recordTrainingPeak,
} from './choose.js';
export { type MemoryGauge, memoryGauge } from './memory-gauge.js';
export { accumulationOf, type BatchPolicy, batchPolicy } from './policy.js';
export { type Measure, type SearchOptions, type SearchResult, searchBatchSize } from './search.js';
export { type StepOrder, stepOrder } from './step-order.js';
