/** The closing line of `npm test` decides whether a change is good: it must never say so by mistake. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { closingLine, readCounts } from './test-counts.mjs';

/** @type {string} */
let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latentwire-counts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/**
 * @param {object} report
 * @param {number} exitCode
 */
function counts(report, exitCode) {
  const file = join(folder, 'report.json');
  const none = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  writeFileSync(file, JSON.stringify({ ...none, ...report }));
  return readCounts(file, exitCode);
}

test('passed, failed and skipped tests are counted', () => {
  const report = { numPassedTests: 5, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1 };
  const testResults = [{ status: 'failed', assertionResults: [{ status: 'failed' }] }];
  expect(counts({ ...report, testResults }, 1)).toEqual({ passed: 5, failed: 1, skipped: 3 });
});

test('a test file that does not load is a failure', () => {
  const testResults = [{ status: 'failed', assertionResults: [] }];
  expect(counts({ numPassedTests: 5, testResults }, 1)).toEqual({ passed: 5, failed: 1, skipped: 0 });
});

test('a run that failed without saying where is a failure, and so is one without report', () => {
  expect(counts({ numPassedTests: 5 }, 1).failed).toBe(1);
  expect(readCounts(join(folder, 'none.json'), 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test('the line is plain', () => {
  expect(closingLine({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed');
  expect(closingLine({ passed: 12, failed: 1, skipped: 3 })).toBe('12 passed, 1 failed, 3 skipped');
});
