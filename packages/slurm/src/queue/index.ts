export { findJobs, readHistory } from './find-jobs.js';
export type { JobRecord } from './job-record.js';
export type { JobPhase, JobState } from './job-state.js';
export { jobPhase, parseJobState } from './job-state.js';
export { parseJobcomp, readJobcomp } from './jobcomp.js';
export { type HistoryFilter, parseSacct, readSacct } from './sacct.js';
export {
  type Partition,
  type PreemptMode,
  parseJobs,
  preemptModeOf,
  readConfig,
  readJob,
  readPartition,
} from './scontrol.js';
export { parseDuration, parseIndices, parseTime } from './slurm-values.js';
export {
  parseSqueueJson,
  parseSqueueText,
  type QueueFilter,
  type QueueFormat,
  readSqueue,
} from './squeue.js';
export { whyStuck } from './stuck.js';
