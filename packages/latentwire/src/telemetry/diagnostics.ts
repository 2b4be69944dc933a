/**
 * logs/diagnostics.jsonl: one row per optimiser step. The file only grows; after a requeue the resumed attempt
 * writes again the steps that came after its checkpoint. A row of step s replaces every earlier row of step
 * ≥ s, because those belong to a continuation that was given up, so a reader sees each step exactly once.
 */
import { LatentWireError } from '../errors.js';
import { type Clock, systemClock } from './clock.js';
import type { FileSystem } from './file-system.js';
import type { JsonRecord } from './json.js';
import { JsonLinesWriter, readJsonLines } from './json-lines.js';

/** What one optimiser step reports; `step` counts from 1. Non-finite numbers are kept. */
export interface StepRecord {
  readonly step: number;
  readonly epoch?: number;
  readonly loss?: number;
  readonly lr?: number;
  readonly grad_norm?: number;
  readonly samples?: number;
  readonly samples_per_second?: number;
  readonly [name: string]: unknown;
}

/** A row of the file. */
export interface DiagnosticsRow extends StepRecord {
  readonly attempt: number;
  /** Wall time of the write, ISO 8601 in UTC. */
  readonly time: string;
}

export class DiagnosticsWriter {
  readonly #lines: JsonLinesWriter;
  readonly #attempt: number;
  readonly #clock: Clock;
  readonly #onTrouble: ((message: string) => void) | undefined;
  /** Rows that could not be written yet. */
  readonly #waiting: JsonRecord[] = [];
  #lastStep = 0;

  /** Opens the file for `attempt` (1, 2, …) and repairs a torn last line. @throws LatentWireError `io` */
  constructor(
    path: string,
    options: {
      readonly attempt: number;
      readonly clock?: Clock;
      readonly fs?: FileSystem;
      /** Told once when the file cannot be written; rows then wait in memory. Absent: `append` throws. */
      readonly onTrouble?: (message: string) => void;
    },
  ) {
    this.#lines = new JsonLinesWriter(path, options.fs ? { fs: options.fs } : {});
    this.#attempt = options.attempt;
    this.#clock = options.clock ?? systemClock;
    this.#onTrouble = options.onTrouble;
  }

  /**
   * Appends the row of one step; steps of one attempt must increase.
   * @throws LatentWireError `io` (the row is not in the file; the file is whole) or `internal` (wrong order).
   */
  append(record: StepRecord): void {
    const { step, ...rest } = record;
    if (!Number.isInteger(step) || step <= this.#lastStep) {
      throw new LatentWireError(`expected a step after ${this.#lastStep}, got ${step}`, { code: 'internal' });
    }
    const row = { step, attempt: this.#attempt, time: this.#clock.now().toISOString(), ...rest };
    this.#waiting.push(row);
    try {
      this.#flush();
    } catch (error) {
      if (this.#onTrouble === undefined) {
        this.#waiting.pop();
        throw error;
      }
      if (this.#waiting.length === 1) {
        this.#onTrouble(`${(error as Error).message}; diagnostics wait in memory until it can be written`);
      }
    }
    this.#lastStep = step;
  }

  /**
   * Makes all rows durable; call it before a checkpoint of the same step is published.
   * @throws LatentWireError `io` when rows still wait
   */
  sync(): void {
    this.#flush();
    this.#lines.sync();
  }

  close(): void {
    try {
      this.#flush();
    } catch {
      // Their steps are computed again after a resume, since no checkpoint holds them.
    }
    this.#lines.close();
  }

  #flush(): void {
    for (let row = this.#waiting[0]; row !== undefined; row = this.#waiting[0]) {
      this.#lines.append(row);
      this.#waiting.shift();
    }
  }
}

/**
 * The rows of a run, steps ascending, each step once, whatever was interrupted in between.
 * @throws LatentWireError `format` naming file and line on a damaged file.
 */
export function readDiagnostics(path: string): DiagnosticsRow[] {
  const rows: DiagnosticsRow[] = [];
  for (const [index, record] of readJsonLines(path).entries()) {
    const { step } = record;
    if (typeof step !== 'number' || !Number.isInteger(step)) {
      throw new LatentWireError(
        `expected an integer "step" in record ${index + 1} of ${path}, got ${String(step)}`,
        {
          code: 'format',
        },
      );
    }
    while (rows.length > 0 && rows[rows.length - 1]!.step >= step) rows.pop();
    rows.push(record as DiagnosticsRow);
  }
  return rows;
}
