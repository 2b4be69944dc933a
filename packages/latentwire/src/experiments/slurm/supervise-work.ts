/**
 * The frame around a command that works on run directories: outside Slurm it only calls the work; inside a job it adds
 * reasons to stop and, at the end, does what brings the job back or ends it for good.
 */
import { statSync } from 'node:fs';
import path from 'node:path';
import type { Decision, Ending } from '@latentwire/slurm';
import { LatentWireError } from '../../errors.js';
import { type Logger, readStatus, writeStatus } from '../../telemetry/index.js';
import { checkpointStep } from '../state/cell-state.js';
import { joinSlurmJob, type StopNotice, type WorkEnd } from './job-session.js';

export interface SupervisedWork<T> {
  /** Attempt record, e.g. `logs/slurm.jsonl` of the run. */
  readonly record: string;
  readonly logger: Logger;
  /** How far the work is, saved: see `workProgress`. */
  progress(): number;
  /** @param stopNotice to be polled beside signals; it never says anything outside Slurm */
  work(stopNotice: () => StopNotice | undefined): Promise<T>;
  /** Whether the work was stopped before its end, with everything saved. */
  wasStopped(result: T): boolean;
  /** Told of each decision before it is acted upon. */
  readonly onDecision?: (decision: Decision) => void;
}

export interface SupervisedResult<T> {
  /** Undefined when the work failed and the job was put back in the queue. */
  readonly result: T | undefined;
  /** Absent outside Slurm. */
  readonly ending?: Ending;
}

/**
 * Does the work. In a Slurm job this returns only when the process should exit, with `ending.exitCode`; a failure that
 * is not worth another attempt is thrown on.
 */
export async function superviseWork<T>(options: SupervisedWork<T>): Promise<SupervisedResult<T>> {
  const { record, logger, progress, work, wasStopped, onDecision } = options;
  const session = await joinSlurmJob({
    ...{ record, logger, progress: progress() },
    ...(onDecision && { onDecision }),
  });
  if (session === undefined) return { result: await work(() => undefined) };
  process.env[SUPERVISED] = String(process.pid);
  let result: T;
  try {
    result = await work(() => session.stopNotice());
  } catch (error) {
    logger.warn(`failed: ${error instanceof Error ? error.message : error}`);
    const ending = await session.end(failureOf(error, progress()));
    if (ending.exitCode === 1) throw error;
    return { result: undefined, ending };
  }
  const kind = wasStopped(result) ? 'stopped' : 'finished';
  return { result, ending: await session.end({ kind, progress: progress() }) };
}

/** Set for what supervised work starts: only the task of the job itself speaks with Slurm. */
const SUPERVISED = 'LATENTWIRE_SUPERVISED';

/** Whether there is a job around this process for which nobody else speaks. */
export function isJobTask(env: NodeJS.ProcessEnv = process.env): boolean {
  return env.SLURM_JOB_ID !== undefined && env[SUPERVISED] === undefined;
}

/** Steps in checkpoints and bytes of predictions of these run directories: grows with everything that is kept. */
export function workProgress(directories: readonly string[]): number {
  return directories.reduce((sum, directory) => {
    const predictions = statSync(path.join(directory, 'predictions.jsonl'), { throwIfNoEntry: false });
    const step = checkpointStep(path.dirname(directory), path.basename(directory));
    return sum + step + (predictions?.size ?? 0);
  }, 0);
}

/**
 * Says in status.json of a run that ended why it did, as Slurm tells it; and `timeout` when it was the time limit, which a
 * signal alone does not tell. Only while the run directory is nobody else's.
 */
export function recordDecision(
  directory: string,
  { action, cause, why }: Decision,
  env: NodeJS.ProcessEnv = process.env,
): void {
  if (cause === 'requeued' || cause === 'finished') return;
  const file = path.join(directory, 'status.json');
  const status = readStatus(file);
  if (status === undefined || !ENDED.has(status.state)) return;
  const restarts = Number(env.SLURM_RESTART_COUNT ?? 0);
  if (status.slurm !== undefined && status.slurm.restarts !== restarts) return;
  const job = status.slurm?.job ?? env.SLURM_JOB_ID ?? '';
  const ended = { ...status, updated_at: new Date().toISOString(), slurm: { job, restarts, cause, why } };
  const timeout = cause === 'time-limit' && action !== 'wait-for-requeue' && ended.state === 'preempted';
  if (timeout) {
    const { signal: _, ...rest } = ended;
    writeStatus(file, { ...rest, state: 'timeout' });
  } else writeStatus(file, ended);
}

const ENDED: ReadonlySet<string> = new Set(['preempted', 'timeout', 'oom', 'failed']);

/** Errors of input, files and settings come again; what the machine, the network or libtorch did may not. */
function failureOf(error: unknown, progress: number): WorkEnd {
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof LatentWireError ? error.code : undefined;
  const outOfMemory = (error as { outOfMemory?: unknown } | null)?.outOfMemory === true;
  const retryable = !outOfMemory && (known === undefined || known === 'io' || known === 'network');
  // Numbers differ from attempt to attempt (addresses, sizes, steps); the sentence is what is the same.
  const signature = `${known ?? (error as Error | null)?.name}: ${message.split('\n', 1)[0]!.replace(/\d+/g, '#')}`;
  return { kind: 'failed', signature, retryable, progress };
}
