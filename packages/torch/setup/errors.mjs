/**
 * The one error of the set-up and the one place that prints it.
 *
 * A SetupError says what was expected and found, and always carries the fix. Anything else that is thrown is a bug
 * in the set-up: its stack goes to a file, never to the screen.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Why the set-up stopped. Tests and callers branch on it, people read the message.
 * @typedef {'bad-argument' | 'node-version' | 'platform' | 'no-python' | 'no-pip' | 'no-compiler' | 'torch-not-found'
 *   | 'torch-too-old' | 'no-network' | 'no-disk' | 'not-writable' | 'npm' | 'download' | 'compile' | 'load'
 *   | 'typescript'} SetupErrorCode
 */

/** A problem that the person at the keyboard can fix. */
export class SetupError extends Error {
  /**
   * @param {SetupErrorCode} code
   * @param {string} message  expected …, got …, where
   * @param {{ fix: string | readonly string[], detail?: string, log?: string }} more
   *   fix: next steps, any of them helps; detail: the tool's own first error line; log: file with all of its output
   */
  constructor(code, message, { fix, detail, log }) {
    super(message);
    this.name = 'SetupError';
    this.code = code;
    /** @type {readonly string[]} */
    this.fix = typeof fix === 'string' ? [fix] : fix;
    this.detail = detail;
    this.log = log;
  }
}

/**
 * The text shown for an error.
 * @param {SetupError} error
 * @returns {string}
 */
export function formatError(error) {
  const lines = [`error: ${error.message}`];
  if (error.detail) lines.push(`       ${error.detail}`);
  if (error.log) lines.push(`  log: ${error.log}`);
  error.fix.forEach((fix, i) => {
    lines.push(`${i === 0 ? '  fix:' : '   or:'} ${fix}`);
  });
  return lines.join('\n');
}

/**
 * Prints any thrown value without a stack and returns the exit code to use.
 * @param {unknown} thrown
 * @param {(text: string) => void} [print]
 * @returns {number} 1, or 130 after an interrupt
 */
export function printError(thrown, print = (text) => process.stderr.write(text)) {
  if (thrown instanceof SetupError) {
    print(`\n${formatError(thrown)}\n`);
    return 1;
  }
  const error = asSystemError(thrown);
  if (error) {
    print(`\n${formatError(error)}\n`);
    return 1;
  }
  const log = join(tmpdir(), `latentwire-setup-${process.pid}.log`);
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  mkdirSync(dirname(log), { recursive: true });
  appendFileSync(log, `${new Date().toISOString()} ${stack}\n`);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  print(
    `\nerror: the set-up met something it did not expect: ${message}\n  log: ${log}\n  fix: run it again; if it stays, report it with that log\n`,
  );
  return 1;
}

/**
 * Full disks and read-only folders can surface in any file operation; they deserve the same care as our own checks.
 * @param {unknown} thrown
 * @returns {SetupError | undefined}
 */
function asSystemError(thrown) {
  if (!(thrown instanceof Error)) return undefined;
  const { code, path } = /** @type {NodeJS.ErrnoException} */ (thrown);
  const where = path ? ` at ${path}` : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SetupError('no-disk', `the disk is full${where}`, {
      fix: [
        'free some space and run the same command again',
        'put the cache elsewhere: LATENTWIRE_CACHE=/big/disk/latentwire',
      ],
    });
  }
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return new SetupError('not-writable', `expected to be allowed to write, got ${code}${where}`, {
      fix: [
        'make that folder writable for this user',
        'put the cache elsewhere: LATENTWIRE_CACHE=/folder/you/own',
      ],
    });
  }
  return undefined;
}
