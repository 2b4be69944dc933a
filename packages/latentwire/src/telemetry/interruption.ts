/**
 * "Somebody asked this process to stop": one object that every phase of a run polls. It knows when the signal came and
 * how much of the grace time is left. Where signals come from is handed in, because a training step never returns to
 * Node's event loop (the native source sees them all the same), and because this folder does not load libtorch.
 */

/** A signal that came, on the clock of `performance.now()`. */
export interface SignalNotice {
  readonly name: string;
  readonly monotonicMs: number;
}

/** Polled often: must be cheap. */
export type SignalSource = () => SignalNotice | undefined;

export class Interruption {
  readonly #source: SignalSource;
  readonly #graceMs: number;
  readonly #now: () => number;
  #notice: SignalNotice | undefined;

  /** @param graceSeconds time between the signal and the kill that follows it */
  constructor(source: SignalSource, graceSeconds: number, now: () => number = () => performance.now()) {
    this.#source = source;
    this.#graceMs = graceSeconds * 1000;
    this.#now = now;
  }

  /** One that never comes, for work that nothing may stop. */
  static never(): Interruption {
    return new Interruption(() => undefined, Number.POSITIVE_INFINITY);
  }

  requested(): boolean {
    this.#notice ??= this.#source();
    return this.#notice !== undefined;
  }

  /** Name of the signal, once requested. */
  get signal(): string | undefined {
    return this.requested() ? this.#notice?.name : undefined;
  }

  /** `performance.now()` at the moment the signal came, once requested. */
  get receivedAtMs(): number | undefined {
    return this.requested() ? this.#notice?.monotonicMs : undefined;
  }

  /** Seconds since the signal; 0 before it. */
  secondsSince(): number {
    const at = this.receivedAtMs;
    return at === undefined ? 0 : (this.#now() - at) / 1000;
  }

  /** Seconds of the grace time that are left; all of it before the signal. */
  secondsLeft(): number {
    return this.#graceMs / 1000 - this.secondsSince();
  }

  /** Throws `Interrupted` once requested: for the points between two pieces of work. */
  check(): void {
    if (this.requested()) throw new Interrupted(this.#notice!.name);
  }
}

/** Unwinds a run that was asked to stop. Not an error: whoever opened the run catches it and records the state. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(readonly signal: string) {
    super(`stopped by ${signal}`);
  }
}
