/**
 * What carries out attempts. An executor knows nothing of plans, retries or gates: it has places, starts an
 * attempt in one, and tells when it has ended. Every implementation passes the suite in executor.suite.fixture.ts.
 */
import type { Cell } from '../plan/expand.js';
import type { Resources } from '../plan/plan-schema.js';
import type { ProcessEnd } from '../state/attempts.js';
import type { ClaimRecord } from '../state/claims.js';
import type { CellFiles } from '../state/experiment-folder.js';
import type { ProcessIdentity } from '../state/process-identity.js';

export interface Attempt {
  readonly cell: Cell;
  readonly files: CellFiles;
  /**
   * To be called with what will do the work, after that is known and before the work begins: should the runner
   * die in between, nothing runs; should it die after, the next runner finds the worker.
   */
  readonly announce: (worker: ProcessIdentity | null, detail: ClaimRecord['detail']) => void;
}

export interface RunningAttempt {
  /** Settles when nothing of the attempt runs any more; never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** Asks it to save and end (SIGTERM or the like); again: at once. */
  stop(): void;
}

export interface Executor {
  /** For records: `local`, `in-process`, `slurm`. */
  readonly name: string;
  /** Is there a place for a cell that needs this? @throws LatentWireError `input` when there never will be */
  hasRoom(resources: Resources): boolean;
  /** Starts the attempt, or undefined when its place was taken by another runner meanwhile. */
  start(attempt: Attempt): RunningAttempt | undefined;
  /** The attempt of a runner that is gone, if it still runs: it is waited for, not started twice. */
  adopt(record: ClaimRecord, attempt: Attempt): RunningAttempt | undefined;
}
