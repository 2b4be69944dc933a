export { cancelJobs, releaseJobs, requeueJob, startAfter } from './control.js';
export { newSubmission, submissionOf, submitJob, submitScript, testSubmit } from './submit.js';
