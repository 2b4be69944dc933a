export type {
  Action,
  AttemptSummary,
  Cause,
  Decision,
  DecisionInput,
  JobView,
  PolicyLimits,
  Stop,
} from './decide.js';
export { DEFAULT_LIMITS, decide } from './decide.js';
export { type JobContext, jobContext } from './job-context.js';
export {
  type Ending,
  type JobSupervisor,
  type StopReport,
  type SupervisorOptions,
  superviseJob,
} from './supervisor.js';
