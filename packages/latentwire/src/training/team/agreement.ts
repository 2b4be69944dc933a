/**
 * When what the numbers of a step say begins to count. A rank may read the numbers of a step at once, or only when the next
 * one was issued, and rank 0 reads earlier when it saves: they count from the same step on for all of them.
 */
import type { StepNumbers } from './gradient-sum.js';

export class Agreement {
  readonly #delay: 0 | 1;
  #heard: { readonly from: number; readonly numbers: StepNumbers }[] = [];
  #clock: number;
  #stop = false;

  /**
   * @param late whether numbers are read when the next step was issued
   * @param clock share of the time limit that was spent before the first step
   */
  constructor(late: boolean, clock: number) {
    this.#delay = late ? 1 : 0;
    this.#clock = clock;
  }

  /** @param step steps done, with the one that the numbers are of */
  hear(step: number, numbers: StepNumbers): void {
    this.#heard.push({ from: step + this.#delay, numbers });
  }

  /** Whether all ranks stop, having done `step` steps. */
  stops(step: number): boolean {
    this.#settle(step);
    return this.#stop;
  }

  /** Share of the time limit that is spent, the same on all ranks. */
  clock(step: number): number {
    this.#settle(step);
    return this.#clock;
  }

  #settle(step: number): void {
    for (const { from, numbers } of this.#heard) {
      if (from > step) continue;
      this.#clock = numbers.clock;
      this.#stop ||= numbers.stop > 0;
    }
    this.#heard = this.#heard.filter(({ from }) => from > step);
  }
}
