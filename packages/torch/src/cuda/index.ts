/** What only CUDA devices have. */
export { type RecordedStepCounts, RecordedSteps } from './recorded-steps.js';
