/**
 * A command that works on run directories, as it is and inside a Slurm job: there it also stops before the time limit,
 * and its exit is what brings the job back (docs/SLURM.md).
 */
import type { StopNotice } from '../experiments/slurm/index.js';
import type { Logger } from '../telemetry/index.js';
import type { CommandResult } from './command.js';

export interface JobWork {
  /** The run directories, for progress and status. */
  readonly directories: readonly string[];
  /** Where attempts are recorded, e.g. logs/slurm.jsonl of the run. */
  readonly record: string;
  readonly logger: Logger;
  /** @param stopNotice a reason to stop besides signals; to be polled like them */
  work(stopNotice: () => StopNotice | undefined): Promise<WorkResult>;
}

export interface WorkResult {
  /** Whether it was stopped before its end, with everything saved. */
  readonly stopped: boolean;
  readonly result: CommandResult;
  /** Lets these signals do nothing from now on, to the very end of the process. */
  readonly ignoreSignals?: (signals: readonly NodeJS.Signals[]) => void;
}

/** Outside Slurm just the work. Inside a job that is to be requeued it does not return. */
export async function inSlurmJob({ directories, record, logger, work }: JobWork): Promise<CommandResult> {
  if (process.env.SLURM_JOB_ID === undefined) return heedingSignals(work);
  const { isJobTask, recordDecision, superviseWork, workProgress } = await import(
    '../experiments/slurm/index.js'
  );
  if (!isJobTask()) return heedingSignals(work);
  const { result: done, ending } = await superviseWork({
    ...{ record, logger, work },
    progress: () => workProgress(directories),
    wasStopped: ({ stopped }) => stopped,
    onDecision: (decision) => {
      for (const directory of directories) recordDecision(directory, decision);
    },
  });
  const result = done?.result ?? { json: { state: 'failed' }, text: 'failed; the job is in the queue again' };
  if (ending === undefined) return result;
  const { action, cause, why } = ending.decision;
  const exitCode = action === 'exit-finished' ? (result.exitCode ?? 0) : ending.exitCode;
  return { ...result, json: { ...result.json, slurm: { action, cause, why } }, exitCode };
}

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGUSR1', 'SIGUSR2'] as const;

/**
 * The work itself watches for signals once libtorch is there. Around that, a signal before must not be lost, and a second
 * one after all is saved and said must not make a failure of it.
 */
async function heedingSignals(work: JobWork['work']): Promise<CommandResult> {
  let notice: StopNotice | undefined;
  const heed = (name: NodeJS.Signals): void => {
    notice ??= { name, monotonicMs: performance.now() };
  };
  for (const signal of STOP_SIGNALS) process.on(signal, heed);
  let done: WorkResult | undefined;
  try {
    done = await work(() => notice);
    return done.result;
  } finally {
    // Node gives its handlers back while the process ends, and that takes as long as libtorch needs to be unloaded.
    if (done?.stopped !== true || done.ignoreSignals !== undefined) {
      for (const signal of STOP_SIGNALS) process.off(signal, heed);
      if (done?.stopped === true) done.ignoreSignals?.(STOP_SIGNALS);
    }
  }
}
