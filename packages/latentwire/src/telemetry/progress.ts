/**
 * The progress line of a long run. On a terminal one line is redrawn in place; elsewhere (a batch job's log) a
 * plain line is written every so often, so that logs stay readable.
 */
import { type Clock, systemClock } from './clock.js';

export interface ProgressState {
  /** Steps done. */
  readonly step: number;
  readonly loss?: number;
  /** Examples done in this attempt. */
  readonly samples?: number;
  /** Share of the time spent waiting for data, in [0, 1]. */
  readonly dataWait?: number;
}

export interface ProgressSink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** All steps; undefined when not known, then there is no ETA. */
  readonly total?: number;
  readonly sink?: ProgressSink;
  readonly clock?: Clock;
  /** Seconds between plain lines. */
  readonly intervalSeconds?: number;
}

const REDRAW_MS = 500;
/** Rates are taken over the most recent updates, so that they follow changes of speed. */
const WINDOW = 64;

export class Progress {
  readonly #total: number | undefined;
  readonly #sink: ProgressSink;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #history: { ms: number; step: number; samples: number }[] = [];
  #lastMs = Number.NEGATIVE_INFINITY;
  #pending: ProgressState | undefined;
  #drawn = 0;

  constructor(options: ProgressOptions = {}) {
    this.#total = options.total;
    this.#sink = options.sink ?? process.stderr;
    this.#clock = options.clock ?? systemClock;
    this.#everyMs = this.#sink.isTTY === true ? REDRAW_MS : (options.intervalSeconds ?? 10) * 1000;
  }

  /** Call once per step; draws only when it is time to. */
  update(state: ProgressState): void {
    const ms = this.#clock.monotonicMs();
    this.#history.push({ ms, step: state.step, samples: state.samples ?? 0 });
    if (this.#history.length > WINDOW) this.#history.shift();
    this.#pending = state;
    if (ms - this.#lastMs >= this.#everyMs) this.#draw(ms);
  }

  /** Draws the last state if it was not yet, and ends the line. */
  finish(): void {
    if (this.#pending !== undefined) this.#draw(this.#clock.monotonicMs());
    if (this.#drawn > 0 && this.#sink.isTTY === true) this.#sink.write('\n');
    this.#drawn = 0;
  }

  #draw(ms: number): void {
    const state = this.#pending!;
    this.#pending = undefined;
    this.#lastMs = ms;
    const line = formatProgress(state, this.#total, this.#rates());
    if (this.#sink.isTTY !== true) {
      this.#sink.write(`${line}\n`);
      return;
    }
    const shown = line.slice(0, Math.max(20, (this.#sink.columns ?? 80) - 1));
    // Blanks cover what is left of a longer line before.
    this.#sink.write(`\r${shown.padEnd(this.#drawn)}`);
    this.#drawn = shown.length;
  }

  #rates(): Rates {
    const first = this.#history[0]!;
    const last = this.#history[this.#history.length - 1]!;
    const seconds = (last.ms - first.ms) / 1000;
    if (seconds <= 0) return {};
    const stepsPerSecond = (last.step - first.step) / seconds;
    const samplesPerSecond = (last.samples - first.samples) / seconds;
    return {
      ...(stepsPerSecond > 0 && { stepsPerSecond }),
      ...(samplesPerSecond > 0 && { samplesPerSecond }),
    };
  }
}

interface Rates {
  readonly stepsPerSecond?: number;
  readonly samplesPerSecond?: number;
}

/** `step 120/1000 12%  loss 2.3451  35.2 samples/s  data wait 3%  ETA 0:12:10`; unknown parts are left out. */
export function formatProgress(state: ProgressState, total: number | undefined, rates: Rates): string {
  const { step, loss, dataWait } = state;
  const { stepsPerSecond, samplesPerSecond } = rates;
  const parts = [
    total === undefined ? `step ${step}` : `step ${step}/${total} ${Math.floor((100 * step) / total)}%`,
  ];
  if (loss !== undefined) parts.push(`loss ${loss.toFixed(4)}`);
  if (samplesPerSecond !== undefined) parts.push(`${threeDigits(samplesPerSecond)} samples/s`);
  if (dataWait !== undefined) parts.push(`data wait ${Math.round(100 * dataWait)}%`);
  if (total !== undefined && stepsPerSecond !== undefined) {
    parts.push(`ETA ${formatDuration((total - step) / stepsPerSecond)}`);
  }
  return parts.join('  ');
}

/** `h:mm:ss` */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
