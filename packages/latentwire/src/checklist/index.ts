/** The production checklist as a program, and the troubleshooting of runs. */
export { type Diagnosis, diagnose, type Finding } from './doctor/index.js';
export { prepareFolder } from './prepare-folder.js';
export { type ChecklistReport, runChecklist, type SectionReport } from './run-checklist.js';
export { sections } from './sections/index.js';
export { checklistTable, claimsTable, linesText } from './summary.js';
