/**
 * A command that works on one run directory, as it is and inside a Slurm job: there it also stops before the time
 * limit, and its exit is what brings the job back (docs/SLURM.md).
 */
import path from 'node:path';
import type { StopNotice } from '../experiments/slurm/index.js';
import type { Logger } from '../telemetry/index.js';
import type { CommandResult } from './command.js';

export interface JobWork {
  /** The run directory. */
  readonly directory: string;
  readonly logger: Logger;
  /** @param stopNotice a reason to stop besides signals; polled by the run's interruption */
  work(stopNotice: () => StopNotice | undefined): Promise<WorkResult>;
}

export interface WorkResult {
  /** Whether it was stopped before its end, with everything saved. */
  readonly stopped: boolean;
  readonly result: CommandResult;
}

/** Outside Slurm just the work. Inside a job that is to be requeued it does not return. */
export async function inSlurmJob({ directory, logger, work }: JobWork): Promise<CommandResult> {
  if (process.env.SLURM_JOB_ID === undefined) return (await work(() => undefined)).result;
  const { recordTimeLimit, superviseWork, workProgress } = await import('../experiments/slurm/index.js');
  const { result: done, ending } = await superviseWork({
    ...{ logger, work },
    record: path.join(directory, 'logs', 'slurm.jsonl'),
    progress: () => workProgress([directory]),
    wasStopped: ({ stopped }) => stopped,
    onDecision: (decision) => recordTimeLimit(directory, decision),
  });
  const result = done?.result ?? { json: { state: 'failed' }, text: 'failed; the job is in the queue again' };
  if (ending === undefined) return result;
  const { action, cause, why } = ending.decision;
  return { ...result, json: { ...result.json, slurm: { action, cause, why } }, exitCode: ending.exitCode };
}
