/** Where a cell stands, from its run directory, its claim and the history of its attempts; nothing else. */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { lookAtLock, type RunStatus, readStatus, runIdOf, runPaths } from '../../telemetry/index.js';
import type { Retries } from '../plan/plan-schema.js';
import { type AttemptHistory, judge, readAttempts, wasDeleted } from './attempts.js';
import type { ClaimRecord, Claims } from './claims.js';
import { cellFiles } from './experiment-folder.js';
import { hostName, isAlive } from './process-identity.js';

export type CellState =
  | { readonly kind: 'queued' }
  | {
      readonly kind: 'running';
      readonly host: string;
      readonly phase: string;
      readonly step: number;
      /** Wall time of its latest steps; undefined before there are two. */
      readonly secondsPerStep: number | undefined;
      /** Its runner is gone; it goes on alone, and the next runner will wait for it. */
      readonly orphan: boolean;
    }
  /** Stopped with or without a checkpoint; starts again as soon as there is a place. */
  | { readonly kind: 'preempted'; readonly step: number; readonly why: string }
  /** Will not start again by itself. */
  | { readonly kind: 'failed'; readonly step: number; readonly why: string; readonly error: string }
  | { readonly kind: 'done'; readonly step: number };

export type CellStateKind = CellState['kind'];

export interface StateContext {
  readonly directory: string;
  readonly claims: Claims;
  readonly retries: Retries;
}

/** @param name of the run directory. Does not throw on what a crash can leave behind. */
export function cellState(name: string, context: StateContext): CellState {
  return readCell(name, context).state;
}

/** With the number of attempts that the run directory has seen. */
export function readCell(
  name: string,
  context: StateContext,
): { readonly state: CellState; readonly attempts: number } {
  const status = statusOf(context.directory, name);
  const attempts = status.kind === 'status' ? status.value.attempt : 0;
  return { state: stateFrom(status, name, context), attempts };
}

/** The same of a run that no plan knows: nobody starts it again, and its lock says who works on it. */
export function readRun(name: string, context: StateContext): ReturnType<typeof readCell> {
  const cell = readCell(name, context);
  const status = statusOf(context.directory, name);
  if (cell.state.kind !== 'preempted' || status.kind !== 'status') return cell;
  const { value } = status;
  if (value.state === 'failed' || value.state === 'oom') {
    return { ...cell, state: failed(cell.state.step, value.error.code, value.error.message) };
  }
  const paths = runPaths(context.directory, runIdOf(name));
  if (value.state !== 'running' || lookAtLock(paths.lock)?.state !== 'held') return cell;
  const { step = Math.max(value.step, cell.state.step), secondsPerStep } = paceOf(paths.diagnostics);
  const { host, phase } = value;
  return { ...cell, state: { kind: 'running', host, phase, step, secondsPerStep, orphan: false } };
}

function stateFrom(
  status: StatusReading,
  name: string,
  { directory, claims, retries }: StateContext,
): CellState {
  if (status.kind === 'status' && status.value.state === 'completed') {
    return { kind: 'done', step: status.value.step };
  }
  const claim = claims.look(name);
  const step = checkpointStep(directory, name);
  const running = status.kind === 'status' && status.value.state === 'running' ? status.value : undefined;
  const worker = claim.kind === 'free' ? null : claim.record.worker;
  const alive = worker === null ? false : isAlive(worker);
  const orphan = claim.kind === 'abandoned' && alive === true;
  // The holder cannot be asked and is silent; what it started may still write.
  const unseen =
    claim.kind === 'abandoned' &&
    alive === undefined &&
    recentlyWritten(directory, name, claims.leaseSeconds);
  if (claim.kind === 'held' || orphan || unseen) {
    const pace = paceOf(runPaths(directory, runIdOf(name)).diagnostics);
    return {
      kind: 'running',
      host: hostName((claim as { readonly record: ClaimRecord }).record.holder),
      phase: running?.phase ?? 'start',
      step: pace.step ?? Math.max(running?.step ?? 0, step),
      secondsPerStep: pace.secondsPerStep,
      orphan,
    };
  }
  const { ends, open } = history(directory, name);
  const exists = status.kind !== 'absent' || existsSync(path.join(directory, name));
  if (!exists && (ends.length === 0 || wasDeleted(ends))) return { kind: 'queued' };
  if (ends.length === 0 && !open && status.kind === 'absent') return { kind: 'queued' };
  const verdict = judge(ends, retries);
  if (verdict.kind === 'stop') return failed(step, verdict.cause, verdict.message);
  if (status.kind === 'damaged') return { kind: 'preempted', step, why: status.message };
  return { kind: 'preempted', step, why: open ? 'lost' : (ends.at(-1)?.cause ?? 'interrupted') };
}

function recentlyWritten(directory: string, name: string, seconds: number): boolean {
  const paths = runPaths(directory, runIdOf(name));
  return [paths.status, paths.diagnostics, path.join(paths.logs, 'latest.log')].some((file) => {
    const found = statSync(file, { throwIfNoEntry: false });
    return found !== undefined && Date.now() - found.mtimeMs < 1000 * seconds;
  });
}

function failed(step: number, why: string, error: string): CellState {
  return { kind: 'failed', step, why, error };
}

type StatusReading =
  | { readonly kind: 'absent' }
  | { readonly kind: 'status'; readonly value: RunStatus }
  | { readonly kind: 'damaged'; readonly message: string };

/** The status of a run; a damaged file is said to be one. */
export function statusOf(directory: string, name: string): StatusReading {
  try {
    const value = readStatus(runPaths(directory, runIdOf(name)).status);
    return value === undefined ? { kind: 'absent' } : { kind: 'status', value };
  } catch (error) {
    return { kind: 'damaged', message: (error as Error).message };
  }
}

function history(directory: string, name: string): AttemptHistory {
  try {
    return readAttempts(cellFiles(directory, name).attempts);
  } catch {
    // A damaged history only forgets how often it was tried.
    return { ends: [], open: false, everCompleted: false };
  }
}

/** Optimiser step of the checkpoint, from its readable copy; 0 when there is none (or none that can be read). */
export function checkpointStep(directory: string, name: string): number {
  const { checkpoints } = runPaths(directory, runIdOf(name));
  try {
    const document: unknown = JSON.parse(
      readFileSync(path.join(checkpoints, 'checkpoint_current.json'), 'utf8'),
    );
    const { step, state } = document as { step?: unknown; state?: { step?: unknown } };
    return Number(state?.step ?? step) || 0;
  } catch {
    return 0;
  }
}

/** Latest step and time per step, from the last rows of the diagnostics. */
function paceOf(file: string): { readonly step?: number; readonly secondsPerStep?: number } {
  const rows = lastLines(file).flatMap((line) => {
    try {
      const { step, time } = JSON.parse(line) as { step?: unknown; time?: unknown };
      return typeof step === 'number' ? [{ step, ms: Date.parse(String(time)) }] : [];
    } catch {
      return []; // The first line of the piece that was read, or one that is being written.
    }
  });
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return {};
  const seconds = (last.ms - first.ms) / 1000 / (last.step - first.step);
  return { step: last.step, ...(seconds > 0 && Number.isFinite(seconds) && { secondsPerStep: seconds }) };
}

/** The last words of a program: its `error:` line, which a hint may follow, else its last line. */
export function lastLine(file: string): string | null {
  const lines = lastLines(file).slice(-LAST_WORDS);
  return (lines.findLast((line) => line.startsWith('error: ')) ?? lines.at(-1))?.trim() ?? null;
}

const LAST_WORDS = 4;

/** Lines at the end of a file, without reading the rest; the first may be cut. */
function lastLines(file: string): string[] {
  if (!existsSync(file)) return [];
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const chunk = Buffer.alloc(Math.min(size, 8192));
    readSync(fd, chunk, 0, chunk.length, size - chunk.length);
    return chunk
      .toString('utf8')
      .split(/[\r\n]+/)
      .filter((line) => line.trim() !== '');
  } finally {
    closeSync(fd);
  }
}
