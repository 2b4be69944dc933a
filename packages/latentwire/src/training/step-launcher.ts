/**
 * What a step needs to be launched as CUDA graphs, kept from step to step: the recordings, sums and gradients at fixed
 * addresses, and the multiples that sizes are rounded up to, so that few shapes cover all batches. On one GPU with small
 * models most of a step is spent issuing kernels; a launch does it at once (bench/gpu).
 */
import * as t from '@latentwire/torch';
import type { LatentWire, ShapeMultiples } from '../wire/index.js';
import type { TermSums } from './micro-batch-loss.js';
import type { GradientSum } from './team/gradient-sum.js';

/** Sums of the terms of one step, all 0. */
export function zeroSums(device: t.Device): TermSums {
  return {
    answer: t.zeros([5], { device }),
    reading: t.zeros([], { device }),
    alignment: t.zeros([], { device }),
  };
}

/** Padding costs computing, every shape costs a recording. */
const MULTIPLES: ShapeMultiples = { texts: 64, positions: 32, targets: 128, rows: 16 };
/** A recording costs several steps, and many shapes come only a few times. */
const PLAIN_RUNS = 3;
/** Share of a plainly issued step that the host waits for the device; above it, a launch would save nothing. */
export const DEVICE_BOUND = 0.2;
const NEWEST = 0.2;

export interface LauncherOptions {
  /** Which steps become recordings; `at once`: every one from its second run on. Default: where it pays. */
  readonly records?: 'where it pays' | 'at once' | 'never';
  /** Where gradients and sums are gathered when several processes train; default: each in a tensor of its own. */
  readonly gather?: GradientSum | undefined;
}

export class StepLauncher implements Disposable {
  readonly steps: t.cuda.RecordedSteps;
  readonly multiples: ShapeMultiples;
  readonly #sums: TermSums;
  readonly #owned: boolean;
  /** Running mean of that share. */
  #waiting = 0;
  #plainBefore = 0;
  #notPlainBefore = 0;

  /** Whether steps of this wire can be launched as graphs. */
  static canLaunch(wire: LatentWire, { disabled }: { readonly disabled: boolean }): boolean {
    return !disabled && wire.encoder.device !== 'cpu' && t.cuda.graphsAvailable();
  }

  /** A launcher where graphs can be captured and are not turned off, else null. */
  static forRun(
    wire: LatentWire,
    options: LauncherOptions & { readonly disabled: boolean },
  ): StepLauncher | null {
    return StepLauncher.canLaunch(wire, options) ? new StepLauncher(wire, options) : null;
  }

  /** @param options.mode see `RecordedSteps` */
  constructor(
    wire: LatentWire,
    options: LauncherOptions & { mode?: 'capture' | 'rehearse'; multiples?: ShapeMultiples } = {},
  ) {
    const { mode = 'capture', records = 'where it pays' } = options;
    this.steps = new t.cuda.RecordedSteps({
      mode,
      device: wire.encoder.device,
      plainRuns: mode === 'rehearse' || records === 'at once' ? 1 : PLAIN_RUNS,
      pays: () => records === 'at once' || (records !== 'never' && this.#waiting < DEVICE_BOUND),
    });
    this.multiples = options.multiples ?? MULTIPLES;
    this.#owned = options.gather === undefined;
    if (options.gather === undefined) {
      this.#sums = zeroSums(wire.encoder.device);
      for (const sum of Object.values(this.#sums)) t.keep(sum);
      t.optim.allocateGradients(wire.parameters());
    } else {
      this.#sums = options.gather.sums;
      options.gather.attach();
    }
  }

  /** Begins a step: its sums, set to 0. */
  begin(): TermSums {
    for (const sum of Object.values(this.#sums)) t.zero_(sum);
    return this.#sums;
  }

  /**
   * Call when the numbers of the step before were read: how long that took of the time since the last reading. Tells whether
   * host or device is the slower one while steps are issued plainly.
   */
  waited(share: number): void {
    const { plain, recorded, launched } = this.steps.counts;
    // A step that was launched or recorded says nothing of the others.
    const onlyPlain = recorded + launched === this.#notPlainBefore && plain > this.#plainBefore;
    if (onlyPlain) this.#waiting += NEWEST * (share - this.#waiting);
    [this.#plainBefore, this.#notPlainBefore] = [plain, recorded + launched];
  }

  /**
   * Runs the optimiser and sets all gradients to 0. What only inactive readers use is left as it is, and so are scales in a
   * step that has no loss of theirs.
   */
  update(wire: LatentWire, active: readonly number[], scaled: boolean, step: () => void): void {
    const idle = [...wire.namedParameters()].flatMap(([name, p]) => {
      const reader = wire.readerOf(name);
      const used = (reader === null || active.includes(reader)) && (scaled || !wire.isScale(name));
      return used ? [] : [{ p, gradient: p.grad }];
    });
    // A gradient of zeros would still let the optimiser decay and drift.
    for (const { p } of idle) p.grad = null;
    step();
    for (const { p, gradient } of idle) p.grad = gradient;
    t.optim.zeroGradients(wire.parameters());
  }

  [Symbol.dispose](): void {
    this.steps.dispose();
    if (this.#owned) for (const sum of Object.values(this.#sums)) sum.dispose();
  }
}
