/**
 * Signals for code that does not return to the event loop: a native handler sets a flag, `receivedSignal` reads it.
 * See native/signals.h.
 */
import { constants } from 'node:os';
import { TorchError } from './error.js';
import { native } from './native.js';

/** What CLOCK_MONOTONIC (process.hrtime) showed when performance.now() was 0. */
const CLOCK_START_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export interface ReceivedSignal {
  /** e.g. 'SIGTERM' */
  readonly name: NodeJS.Signals;
  /** When it came, on the clock of `performance.now()`, in ms. */
  readonly monotonicMs: number;
  /** When it came, Unix time in ms. */
  readonly wallMs: number;
}

/**
 * From now on these signals no longer end the process but set the flag. A signal in `secondStops` ends the process
 * the second time it comes. Handlers that are there already (listeners of `process`) are called too.
 */
export function watchSignals(
  names: readonly NodeJS.Signals[],
  options: { readonly secondStops?: readonly NodeJS.Signals[] } = {},
): void {
  native.watchSignals(names.map(numberOf), (options.secondStops ?? []).map(numberOf));
}

/** Gives all watched signals back and forgets what came. */
export function unwatchSignals(): void {
  native.unwatchSignals();
}

/** This process gets the signal when the one that started it ends, however that one ends. Linux only. */
export function signalWhenParentEnds(name: NodeJS.Signals): void {
  native.signalWhenParentEnds(numberOf(name));
}

/** Whether a watched signal came; costs some tens of nanoseconds. */
export function signalReceived(): boolean {
  return native.receivedSignal() !== 0;
}

/** The first watched signal that came, or undefined. */
export function receivedSignal(): ReceivedSignal | undefined {
  const number = native.receivedSignal();
  if (number === 0) return undefined;
  const { monotonicMs, wallMs } = native.signalTimes();
  return { name: nameOf(number), monotonicMs: monotonicMs - CLOCK_START_MS, wallMs };
}

/** How often this watched signal came. */
export function signalCount(name: NodeJS.Signals): number {
  return native.signalCount(numberOf(name));
}

function numberOf(name: NodeJS.Signals): number {
  const number = constants.signals[name];
  if (number === undefined) throw new TorchError(`expected a signal name, got '${name}'`);
  return number;
}

function nameOf(number: number): NodeJS.Signals {
  const entry = Object.entries(constants.signals).find(([, value]) => value === number);
  return entry![0] as NodeJS.Signals;
}
