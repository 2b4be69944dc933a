/** Experiments: plans, their cells, and carrying them out. */

export type { Attempt, Executor, RunningAttempt } from './execution/executor.js';
export { cellsOf, judgeGate, type Readiness, readiness } from './execution/gates.js';
export { findGpus } from './execution/gpus.js';
export { InProcessExecutor, type RunCell } from './execution/in-process-executor.js';
export {
  type CellCommand,
  gpuClaimsFolder,
  LocalExecutor,
  type LocalExecutorOptions,
} from './execution/local-executor.js';
export { type PlanOutcome, type RunPlanOptions, runPlan } from './execution/run-plan.js';
export { listenForStop, type StopRequests } from './execution/stop-requests.js';
export * from './launch/index.js';
export {
  type CellEstimate,
  estimatePlan,
  type Measurement,
  type PlanEstimate,
  readMeasurements,
  stepsOf,
} from './plan/estimate.js';
export {
  type Cell,
  type CellId,
  type CellPlace,
  expandPlan,
  loadPlan,
  type Phase,
  type Plan,
  type PlanOptions,
} from './plan/expand.js';
export type { Assumptions, Gate, PhaseKind, Resources, Retries } from './plan/plan-schema.js';
export { type PlanSource, readPlan } from './plan/read-plan.js';
export {
  type AttemptEnd,
  type AttemptEvent,
  type AttemptHistory,
  type Cause,
  classify,
  judge,
  type ProcessEnd,
  readAttempts,
  recordAttempt,
} from './state/attempts.js';
export {
  type CellState,
  type CellStateKind,
  cellState,
  checkpointStep,
  lastLine,
} from './state/cell-state.js';
export { Claim, type ClaimRecord, type ClaimState, Claims } from './state/claims.js';
export {
  type CellFiles,
  cellFiles,
  claimsFolder,
  type PlanRecord,
  planFileName,
  readPlanRecords,
  slurmFolder,
  writePlanRecord,
} from './state/experiment-folder.js';
export { hostName, isAlive, type ProcessIdentity, processIdentity } from './state/process-identity.js';
export { type CellStatus, directoryStatus, type ExperimentStatus, planStatus } from './status.js';
