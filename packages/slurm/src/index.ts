/**
 * @latentwire/slurm: batch scripts, submission, queue state, and a preemption policy that loses nothing. Knows nothing
 * of training; see docs/SLURM.md.
 */
export * from './commands/index.js';
export { SlurmError, type SlurmErrorKind, type SlurmErrorOptions } from './errors.js';
export * from './preemption/index.js';
export * from './profile/index.js';
export * from './queue/index.js';
export * from './runner/index.js';
export * from './script/index.js';
export * from './shell/index.js';
