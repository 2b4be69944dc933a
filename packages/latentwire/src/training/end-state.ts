/** How an attempt ended, as a status: from errors and signals to the fields of status.json. */
import * as t from '@latentwire/torch';
import type { RunConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import type { StatusUpdate } from '../telemetry/index.js';

/** The same error, or where the device ran out of memory one that says what to change. */
export function explained(error: unknown, { training }: Pick<RunConfig, 'training'>): unknown {
  if (!(error instanceof t.TorchError && error.outOfMemory)) return error;
  const hint =
    training.batch_size === 'auto'
      ? 'lower --target_memory and begin again with --restart (a run keeps its batch size); --gradient_checkpointing takes less memory'
      : 'lower --batch_size and raise --grad_accum, or let --batch_size auto find it; --gradient_checkpointing takes less memory';
  return new LatentWireError(`out of memory: ${error.message}`, { code: 'oom', hint, cause: error });
}

export function failureStatus(error: unknown, step: number): StatusUpdate {
  const known = error instanceof LatentWireError;
  return {
    state: known && error.code === 'oom' ? 'oom' : 'failed',
    step,
    error: {
      code: known ? error.code : 'internal',
      message: error instanceof Error ? error.message : String(error),
      ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
    },
  };
}

/** The lines for the log of the attempt: what the command line prints when the log is closed. */
export function logLines(error: unknown): string {
  if (!(error instanceof LatentWireError)) return `error: ${error instanceof Error ? error.stack : error}`;
  return `error: ${error.message}${error.hint === undefined ? '' : `\nhint: ${error.hint}`}`;
}

/** A signal this close before the end of a Slurm job's time is its time limit, not a preemption. */
const LIMIT_MARGIN_SECONDS = 120;

/**
 * @param graceSeconds what the batch script asked for (`--signal=TERM@SECONDS`)
 * @param env SLURM_JOB_END_TIME (Unix seconds) tells when the job's time is up
 */
export function interruptedStatus(
  signal: string,
  at: { readonly step: number; readonly checkpoint: string | null },
  graceSeconds: number,
  env: NodeJS.ProcessEnv = process.env,
  nowMs: number = Date.now(),
): StatusUpdate {
  const end = Number(env.SLURM_JOB_END_TIME);
  const left = end - nowMs / 1000;
  if (Number.isFinite(end) && end > 0 && left < graceSeconds + LIMIT_MARGIN_SECONDS) {
    return { state: 'timeout', ...at };
  }
  return { state: 'preempted', signal, ...at };
}
