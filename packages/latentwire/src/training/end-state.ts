/** How an attempt ended, as a status: from errors and signals to the fields of status.json. */
import * as t from '@latentwire/torch';
import { LatentWireError } from '../errors.js';
import type { StatusUpdate } from '../telemetry/index.js';

export function failureStatus(error: unknown, step: number): StatusUpdate {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof t.TorchError && error.outOfMemory) {
    const hint = 'lower --batch-size and raise --grad-accum';
    return { state: 'oom', step, error: { code: 'oom', message, hint } };
  }
  const known = error instanceof LatentWireError;
  return {
    state: 'failed',
    step,
    error: {
      code: known ? error.code : 'internal',
      message,
      ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
    },
  };
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
