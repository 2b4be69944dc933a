/** What only CUDA devices have. */
export { graphsAvailable, type RecordedStepCounts, RecordedSteps } from './recorded-steps.js';
