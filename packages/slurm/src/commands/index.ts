export { cancelJobs, releaseJobs, requeueJob } from './control.js';
export { newSubmission, submissionOf, submitJob, submitScript, testSubmit } from './submit.js';
