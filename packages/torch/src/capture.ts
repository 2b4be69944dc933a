/** Output that native code writes straight to file descriptors 1 and 2; see native/capture.h. */
import { native } from './native.js';

export interface CapturedOutput {
  /** Descriptors of the original stdout and stderr. */
  readonly stdout: number;
  readonly stderr: number;
  /** Gives descriptors 1 and 2 back after everything was copied. */
  stop(): void;
}

/**
 * Copies everything that is written to descriptors 1 and 2 to the file behind `log`, and on to where it went before.
 * One capture at a time.
 */
export function captureOutput(log: number): CapturedOutput {
  const [stdout, stderr] = native.captureStart(log);
  return { stdout, stderr, stop: () => native.captureStop() };
}
