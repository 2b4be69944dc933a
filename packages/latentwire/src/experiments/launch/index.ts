/** One training on several GPUs of this machine. */
export { recordFailure } from './failed-status.js';
export {
  exitCodeOf,
  howItEnded,
  type LaunchOptions,
  type LaunchResult,
  launch,
  type RankEnd,
} from './launch.js';
