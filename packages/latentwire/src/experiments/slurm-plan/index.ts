/** Plans as Slurm arrays: what is submitted, what each task does, and how the queue is kept up to the plan. */
export { readArrays } from './array-record.js';
export { type CancelledPlan, cancelPlan } from './cancel-plan.js';
export { type CellTaskOptions, type CellTaskResult, runCellTask } from './cell-task.js';
export { type QueueStatus, queueStatus } from './queue-status.js';
export type { QueuedCell, QueueView } from './queue-view.js';
export {
  guardPlan,
  type ReconcileOptions,
  type Reconciliation,
  submitPlan,
} from './reconcile.js';
export { readSubmittedPlan, type SubmittedPlan, submittedPlanFile } from './submitted-plan.js';
