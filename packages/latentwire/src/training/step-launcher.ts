/**
 * What a step needs to be launched as CUDA graphs, kept from step to step: the recordings, sums and gradients at fixed
 * addresses, and the multiples that sizes are rounded up to, so that few shapes cover all batches. On one GPU with small
 * models most of a step is spent issuing kernels; a launch does it at once (bench/gpu).
 */
import { performance } from 'node:perf_hooks';
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
/**
 * How far the device lags behind when a step was issued plainly, as a share of the time of a micro-batch; above it a launch
 * would save nothing. At most about 1,024 kernels can be pending, so a device that is the slower one shows in a lag of that
 * many kernels, not of whole steps. What lags in any case are the last kernels: those of AdamW.
 */
export const DEVICE_BOUND = 0.2;

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
  /** Keys of the step that is being issued. */
  #keys: string[] = [];
  /** Clock when the first micro-batch of that step began. */
  #began = 0;
  /** How often a key was asked for. */
  readonly #runs = new Map<string, number>();
  /** The lag of the device after a plain step of this key. */
  readonly #lags = new Map<string, number>();
  readonly #plainRuns: number;
  readonly #probing: boolean;
  readonly #device: t.Device;

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

  /** @param options.mode, options.plainRuns see `RecordedSteps`; a step that is rehearsed runs plainly once */
  constructor(
    wire: LatentWire,
    options: LauncherOptions & {
      mode?: 'capture' | 'rehearse';
      plainRuns?: number;
      multiples?: ShapeMultiples;
    } = {},
  ) {
    const { mode = 'capture', records = 'where it pays' } = options;
    const atOnce = mode === 'rehearse' || records === 'at once';
    this.#plainRuns = options.plainRuns ?? (atOnce ? 1 : PLAIN_RUNS);
    this.#device = wire.encoder.device;
    this.steps = new t.cuda.RecordedSteps({
      mode,
      device: this.#device,
      plainRuns: this.#plainRuns,
      pays: (key) => records !== 'never' && (this.#lags.get(key) ?? 0) < DEVICE_BOUND,
    });
    this.#probing = records === 'where it pays' && this.#plainRuns > 1;
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
    this.#keys = [];
    for (const sum of Object.values(this.#sums)) t.zero_(sum);
    return this.#sums;
  }

  /** A micro-batch. @param key see `RecordedSteps.run` */
  run(key: string, body: () => void): void {
    this.#keys.push(key);
    this.#runs.set(key, (this.#runs.get(key) ?? 0) + 1);
    if (this.#keys.length === 1) {
      // What is left of the step before would count as a lag of this one.
      if (this.probes) t.synchronize(this.#device);
      this.#began = performance.now();
    }
    this.steps.run(key, body);
  }

  /**
   * Whether a recording of something in the step that was just issued hangs on the lag of the device: then its numbers
   * are to be read at once, and `lagged` to be told how long that took.
   */
  get probes(): boolean {
    return this.#probing && this.#undecided().length > 0;
  }

  /**
   * @param issued clock when the last step had been issued, its first micro-batch first; @param computed when the device had
   * computed it; @param began when the first micro-batch began
   */
  lagged(issued: number, computed: number, began = this.#began): void {
    const wait = computed - issued;
    const share = wait / ((issued - began) / this.#keys.length + wait);
    for (const key of this.#undecided()) this.#lags.set(key, share);
  }

  #undecided(): string[] {
    return this.#keys.filter((key) => this.#runs.get(key)! >= this.#plainRuns && !this.#lags.has(key));
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
