/** The troubleshooting of the checklist as a program: known causes, found from what a run left behind. */
export { type Diagnosis, diagnose } from './diagnose.js';
export type { Cause, Evidence, Finding } from './finding.js';
