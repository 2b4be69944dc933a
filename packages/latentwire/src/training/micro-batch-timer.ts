/** How long micro-batches take lately, to tell whether a step can still end within the grace time. */
import { performance } from 'node:perf_hooks';

/** Share of the newest micro-batch in the running mean. */
const NEWEST = 0.3;

export class MicroBatchTimer {
  readonly #now: () => number;
  #began: number | undefined;
  #mean: number | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A micro-batch begins; the one before it has ended. */
  mark(): void {
    this.pause();
    this.#began = this.#now();
  }

  /** The last micro-batch of a step, with its update, has ended. */
  pause(): void {
    if (this.#began === undefined) return;
    const seconds = (this.#now() - this.#began) / 1000;
    this.#began = undefined;
    this.#mean = this.#mean === undefined ? seconds : this.#mean + NEWEST * (seconds - this.#mean);
  }

  /** Seconds that so many micro-batches are expected to take, on the safe side; 0 before the first was timed. */
  secondsFor(count: number): number {
    return 1.5 * count * (this.#mean ?? 0);
  }
}
