/** Reports of experiments and of single runs. */
export { buildReport, type ReportFiles, type ReportOptions } from './build-report.js';
export { writeRunReport } from './run-report.js';
