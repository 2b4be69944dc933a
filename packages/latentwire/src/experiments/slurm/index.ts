/** What joins the product and Slurm: profiles and job files, the queue for commands, and the end of a run in a job. */
export type { ClusterProfile, Decision, Ending, JobContext, JobRecord, JobSpec } from '@latentwire/slurm';
export {
  jobFromProfile,
  jobPhase,
  parseArray,
  parseDependencies,
  renderScript,
  whyStuck,
} from '@latentwire/slurm';
export { withSlurmErrors } from './failure.js';
export { profileNames, readJobFile, readProfile } from './job-file.js';
export {
  type JoinOptions,
  joinSlurmJob,
  type SlurmSession,
  type StopNotice,
  type WorkEnd,
} from './job-session.js';
export { openSlurmQueue, type SlurmQueue } from './queue.js';
export {
  isJobTask,
  recordDecision,
  type SupervisedWork,
  superviseWork,
  workProgress,
} from './supervise-work.js';
