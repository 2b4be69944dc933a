/**
 * The one error printer. People get a message and the next step, programs get the same as JSON; a stack is
 * shown with --debug only. What is not a known kind of error is a bug: its stack goes to a file that the
 * message names.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LatentWireError } from '../errors.js';
import { fileTimestamp, systemClock } from '../telemetry/index.js';

export interface Failure {
  readonly exitCode: 1 | 2;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** Sorts an error into what the user is told; writes the bug report file when it is ours to fix. */
export function failureOf(error: unknown): Failure {
  if (error instanceof LatentWireError && error.code !== 'internal') {
    const { exitCode, code, message, hint } = error;
    return { exitCode, code, message, ...(hint !== undefined && { hint }) };
  }
  if (error instanceof Error && error.name === 'TorchError') {
    return { exitCode: 1, code: 'torch', message: error.message };
  }
  if (isSystemError(error)) return { exitCode: 1, code: 'io', message: error.message };
  const message = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
  const report = writeReport(error);
  return {
    exitCode: 1,
    code: 'internal',
    message: `${message || 'unknown error'} (this is a bug)`,
    hint: report === undefined ? 'run again with --debug for details' : `please report it with ${report}`,
  };
}

/** The lines for stderr. */
export function formatFailure(failure: Failure, error: unknown, debug: boolean): string {
  const hint = failure.hint === undefined ? '' : `hint: ${failure.hint}\n`;
  const stack = debug && error instanceof Error ? `${stackOf(error)}\n` : '';
  return `error: ${failure.message}\n${hint}${stack}`;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

/** An error of a system call, e.g. ENOENT: an E-code and the number of the call's result. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) && syscall !== undefined;
}

function writeReport(error: unknown): string | undefined {
  const text = error instanceof Error ? stackOf(error) : String(error);
  const name = `error_${fileTimestamp(systemClock.now())}_${process.pid}.log`;
  const cache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  for (const folder of [path.join(cache, 'latentwire', 'logs'), os.tmpdir()]) {
    try {
      mkdirSync(folder, { recursive: true });
      const file = path.join(folder, name);
      writeFileSync(
        file,
        `latentwire ${process.argv.slice(2).join(' ')}\nnode ${process.version}\n${text}\n`,
      );
      return file;
    } catch {
      // Try the next folder: an unwritable home must not hide the error itself.
    }
  }
  return undefined;
}
