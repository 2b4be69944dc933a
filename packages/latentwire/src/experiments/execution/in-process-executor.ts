/** Runs a cell inside this process, one at a time: for tests and for programs that embed the library. */
import type { RunConfig } from '../../config/index.js';
import type { Attempt, Executor, RunningAttempt } from './executor.js';

/** Does the whole run of `config`; rejects when it fails. What counts is what it leaves in the run directory. */
export type RunCell = (config: RunConfig, signal: AbortSignal) => Promise<void>;

export class InProcessExecutor implements Executor {
  readonly name = 'in-process';
  readonly #run: RunCell;
  #busy = false;

  constructor(run: RunCell) {
    this.#run = run;
  }

  hasRoom(): boolean {
    return !this.#busy;
  }

  start({ cell, announce }: Attempt): RunningAttempt | undefined {
    if (this.#busy) return undefined;
    this.#busy = true;
    announce(null, null);
    const abort = new AbortController();
    const ended = Promise.resolve()
      .then(() => this.#run(cell.config, abort.signal))
      .then(
        () => ({ code: 0, signal: null, lastLine: null }),
        (error: unknown) => ({
          code: 1,
          signal: null,
          lastLine: error instanceof Error ? error.message : String(error),
        }),
      )
      .finally(() => {
        this.#busy = false;
      });
    return { ended, stop: () => abort.abort() };
  }

  /** What ran in a process that is gone is gone with it. */
  adopt(): undefined {
    return undefined;
  }
}
