/**
 * Counts of a vitest run, and the one line that closes `npm test`.
 */
import { readFileSync } from 'node:fs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * Reads vitest's JSON report. A test file that does not even load counts as one failure, and so does a run that
 * failed without saying where (an unhandled error, a crash before the report).
 * @param {string} file
 * @param {number} exitCode  of vitest
 * @returns {Counts}
 */
export function readCounts(file, exitCode) {
  /** @type {Counts} */
  let counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    const brokenFiles = report.testResults.filter(
      (/** @type {{ status: string, assertionResults: { status: string }[] }} */ result) =>
        result.status === 'failed' && !result.assertionResults.some((test) => test.status === 'failed'),
    ).length;
    counts = {
      passed: report.numPassedTests,
      failed: report.numFailedTests + brokenFiles,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch {
    // no report: the exit code below decides
  }
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/**
 * @param {Counts} counts
 * @returns {string} `12 passed, 0 failed`, with `, 3 skipped` when there are any
 */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
