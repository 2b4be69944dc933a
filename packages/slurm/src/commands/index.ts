export { cancelJobs, releaseJobs, requeueJob } from './control.js';
export { submitJob, submitScript, testSubmit } from './submit.js';
