/** Where the time of a run went, and what its steps came to: from the rows of diagnostics.jsonl. */
import type { DiagnosticsRow } from './diagnostics.js';
import { numberOf } from './json.js';

/** Seconds of wall time. */
export interface TimeLedger {
  /** Models, data, teacher, batch size; of the attempt that finished the run. */
  readonly load_seconds: number;
  /** Training stood still for batches that were not composed yet; all attempts, like the next two. */
  readonly data_wait_seconds: number;
  readonly compute_seconds: number;
  /** Training stood still for a checkpoint. */
  readonly save_seconds: number;
  /** Of the attempt that finished the run. */
  readonly evaluate_seconds: number;
}

/** @param seconds `train`: of all steps, over all attempts, without `lastSave` after them */
export function timeLedger(
  rows: readonly DiagnosticsRow[],
  seconds: {
    readonly load: number;
    readonly train: number;
    readonly lastSave: number;
    readonly evaluate: number;
  },
): TimeLedger {
  const data = sum(rows, 'data_seconds');
  const save = sum(rows, 'save_seconds');
  return {
    load_seconds: seconds.load,
    data_wait_seconds: data,
    compute_seconds: Math.max(0, seconds.train - data - save),
    save_seconds: save + seconds.lastSave,
    evaluate_seconds: seconds.evaluate,
  };
}

/** What the steps of a run came to. Null: its rows do not say. */
export interface StepSummary {
  readonly steps: number;
  readonly seconds: number;
  readonly samples_per_second: number;
  /** Through encoder and readers, padding not counted. */
  readonly tokens_per_second: number | null;
  /** Work that has to be done per second, 10¹² operations; over all processes. */
  readonly tflop_per_second: number | null;
  /** That as a share of what the GPUs can do at most. */
  readonly mfu: number | null;
  /** Shares of the time of the steps. */
  readonly data_wait: number | null;
  readonly save: number | null;
}

/** @returns undefined when no row has a time */
export function summariseSteps(rows: readonly DiagnosticsRow[]): StepSummary | undefined {
  const seconds = sum(rows, 'seconds');
  if (seconds <= 0) return undefined;
  const has = (name: string): boolean => rows.some((row) => numberOf(row[name]) !== undefined);
  const perSecond = (name: string): number | null => (has(name) ? sum(rows, name) / seconds : null);
  /** Mean over time of what rows say per second. */
  const overTime = (name: string): number | null =>
    has(name)
      ? rows.reduce((total, row) => total + (numberOf(row[name]) ?? 0) * (numberOf(row.seconds) ?? 0), 0) /
        seconds
      : null;
  return {
    steps: rows.length,
    seconds,
    samples_per_second: sum(rows, 'samples') / seconds,
    tokens_per_second: perSecond('tokens'),
    tflop_per_second: overTime('tflop_per_second'),
    mfu: overTime('mfu'),
    data_wait: perSecond('data_seconds'),
    save: perSecond('save_seconds'),
  };
}

function sum(rows: readonly DiagnosticsRow[], name: string): number {
  return rows.reduce((total, row) => total + (numberOf(row[name]) ?? 0), 0);
}
