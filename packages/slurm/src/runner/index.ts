export { classifyFailure } from './failure.js';
export { checkedId } from './job-id.js';
export type { CommandOptions, RunnerOptions, SlurmCommand, SlurmRunner } from './runner.js';
export { cleanEnvironment, createRunner } from './runner.js';
