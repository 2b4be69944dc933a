/**
 * Requests to stop, for a runner of cells: signals, and the nearing time limit of a Slurm job. The first asks cells to
 * save and end. A further one ends them at once, unless it is Slurm's: at a time limit Slurm sends SIGTERM twice within
 * milliseconds, and SIGKILL only when KillWait is over.
 */
import type { Logger } from '../../telemetry/index.js';

export interface StopRequests {
  /** Aborted by the first request. */
  readonly signal: AbortSignal;
  /** Aborted by a further one. */
  readonly killSignal: AbortSignal;
  close(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const LOOK_MS = 500;

/** @param noticed whether there is a reason to stop besides signals; polled */
export function listenForStop(
  logger: Logger,
  noticed: () => boolean,
  env: NodeJS.ProcessEnv = process.env,
): StopRequests {
  const [first, further] = [new AbortController(), new AbortController()];
  const stop = (name: string): void => {
    if (!first.signal.aborted) {
      logger.info('asking cells to save and end; once more: at once');
      first.abort();
    } else if (name !== 'SIGTERM' || env.SLURM_JOB_ID === undefined) {
      logger.info('ending cells at once');
      further.abort();
    }
  };
  const clock = setInterval(() => noticed() && !first.signal.aborted && stop('notice'), LOOK_MS);
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: first.signal,
    killSignal: further.signal,
    close() {
      clearInterval(clock);
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
