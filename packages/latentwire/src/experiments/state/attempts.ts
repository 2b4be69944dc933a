/**
 * The history of a cell's attempts, kept beside the run directories, and what follows from it: start again or
 * stop. Preemption and time limits are free; crashes are counted; and whatever the cause, attempts that bring
 * no further checkpoint end the loop.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { JsonLinesWriter, type RunStatus, readJsonLines } from '../../telemetry/index.js';
import type { Retries } from '../plan/plan-schema.js';

/** How an attempt ended. */
export const CAUSES = [
  'completed',
  /** Asked to stop, with a checkpoint. */
  'preempted',
  'timeout',
  'oom',
  /** The run failed by itself. */
  'crash',
  /** Ended by a signal that it could not answer. */
  'killed',
  /** Settings or data are wrong: the next attempt would fail alike. */
  'invalid',
  /** Its runner and itself were gone when somebody looked. */
  'lost',
  /** Another process works on this run directory. */
  'busy',
] as const;
export type Cause = (typeof CAUSES)[number];

export interface AttemptEnd {
  readonly cause: Cause;
  /** Optimiser step of the checkpoint it left; 0: none. */
  readonly step: number;
  /** The last word of the failure, for people. */
  readonly message: string | null;
  readonly exit_code: number | null;
  readonly signal: string | null;
  /** There was a run directory when it ended. */
  readonly left_directory: boolean;
}

/** Asked when there is no run directory: somebody removed what the last attempt had left. */
export function wasDeleted(ends: readonly AttemptEnd[]): boolean {
  return ends.at(-1)?.left_directory === true;
}

export type AttemptEvent =
  /** `fresh`: the run directory was removed, so what was before does not count. */
  | { readonly event: 'start'; readonly at: string; readonly executor: string; readonly fresh: boolean }
  | ({ readonly event: 'end'; readonly at: string } & AttemptEnd)
  /** A person asked for new attempts. */
  | { readonly event: 'reset'; readonly at: string };

export interface AttemptHistory {
  /** Ends since the last fresh start or reset. */
  readonly ends: readonly AttemptEnd[];
  /** An attempt has begun and its end is not recorded. */
  readonly open: boolean;
  /** It completed at some time, also before its directory was deleted. */
  readonly everCompleted: boolean;
}

export function readAttempts(file: string): AttemptHistory {
  let ends: AttemptEnd[] = [];
  let open = false;
  let everCompleted = false;
  for (const record of readJsonLines(file) as unknown as AttemptEvent[]) {
    if (record.event === 'end') {
      ends.push(record);
      everCompleted ||= record.cause === 'completed';
    } else if (record.event === 'reset' || record.fresh) ends = [];
    open = record.event === 'start';
  }
  return { ends, open, everCompleted };
}

/** Only the holder of the cell's claim may. @throws LatentWireError `io` */
export function recordAttempt(file: string, event: AttemptEvent): void {
  mkdirSync(path.dirname(file), { recursive: true });
  using lines = new JsonLinesWriter(file);
  lines.append({ ...event });
  lines.sync();
}

export type Verdict =
  | { readonly kind: 'go' }
  | { readonly kind: 'stop'; readonly cause: Cause | 'no_progress'; readonly message: string };

/** Whether a cell that is not completed may start once more. */
export function judge(ends: readonly AttemptEnd[], retries: Retries): Verdict {
  const last = ends.at(-1);
  if (last === undefined) return { kind: 'go' };
  const said = last.message ?? last.cause;
  const stop = (cause: Cause | 'no_progress', message: string): Verdict => ({ kind: 'stop', cause, message });
  if (last.cause === 'invalid') return stop('invalid', said);
  const count = (...causes: Cause[]): number => ends.filter(({ cause }) => causes.includes(cause)).length;
  if (count('oom') > retries.oom) return stop('oom', said);
  const crashes = count('crash', 'killed');
  if (crashes > retries.crash && (last.cause === 'crash' || last.cause === 'killed')) {
    return stop(last.cause, crashes === 1 ? said : `${said} (${crashes} times)`);
  }
  const idle = withoutProgress(ends);
  if (idle >= retries.no_progress) {
    return stop('no_progress', `${idle} attempts without a further checkpoint, the last: ${said}`);
  }
  return { kind: 'go' };
}

/** Attempts at the end of the list that left no later checkpoint than the ones before them. */
function withoutProgress(ends: readonly AttemptEnd[]): number {
  let best = 0;
  let idle = 0;
  for (const { cause, step } of ends) {
    if (cause === 'busy') continue;
    idle = step > best ? 0 : idle + 1;
    best = Math.max(best, step);
  }
  return idle;
}

/** How a process ended, as its parent sees it; both null: nobody saw it end. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** Last line it printed. */
  readonly lastLine: string | null;
}

/**
 * The end of an attempt, from what the process said and what the run directory says.
 * @param status the status it left; undefined: none, or still that of the attempt before
 * @param left the step of its checkpoint, and whether there is a run directory at all
 * @param asked its runner asked it to stop: a signal is then no accident
 */
export function classify(
  end: ProcessEnd,
  status: RunStatus | undefined,
  left: { readonly step: number; readonly directory: boolean },
  asked = false,
): AttemptEnd {
  const { step, directory } = left;
  const common = { step, exit_code: end.code, signal: end.signal, left_directory: directory };
  const of = (cause: Cause, message: string | null): AttemptEnd => ({ cause, message, ...common });
  switch (status?.state) {
    case 'completed':
      return { ...of('completed', null), step: status.step };
    case 'preempted':
      return of('preempted', status.signal);
    case 'timeout':
      return of('timeout', null);
    case 'oom':
      return of('oom', firstLine(status.error.message));
    case 'failed': {
      const { code, message } = status.error;
      return of(code === 'input' || code === 'format' ? 'invalid' : 'crash', firstLine(message));
    }
    case 'queued':
    case 'running':
    case undefined:
  }
  if (end.signal !== null && asked) return of('preempted', `${end.signal} before it could answer`);
  if (end.signal !== null) return of('killed', `killed by ${end.signal}`);
  if (end.code === null) return of('lost', 'gone together with its runner');
  if (end.code === 2) return of('invalid', end.lastLine ?? 'refused its settings');
  if (end.code === 0) return of('crash', 'ended without a result');
  return of('crash', end.lastLine ?? `ended with exit code ${end.code}`);
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}
