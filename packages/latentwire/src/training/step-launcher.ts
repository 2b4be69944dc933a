/**
 * What a step needs to be launched as CUDA graphs, kept from step to step: the recordings, sums and gradients at fixed
 * addresses, and the multiples that sizes are rounded up to, so that few shapes cover all batches. On one GPU with small
 * models most of a step is spent issuing kernels; a launch does it at once (bench/gpu).
 */
import { performance } from 'node:perf_hooks';
import * as t from '@latentwire/torch';
import type { LatentWire, ShapeMultiples } from '../wire/index.js';
import type { TermSums } from './micro-batch-loss.js';
import { RecordingRoom, recordingMemory } from './recording-room.js';
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
/** Where nothing is recorded: what matrix units like, and no padding beyond. */
const FINE_MULTIPLES: ShapeMultiples = { texts: 8, positions: 8, targets: 8 };
/** A recording costs several steps, and many shapes come only a few times. */
const PLAIN_RUNS = 3;
/**
 * How far the device lags behind when a micro-batch was issued plainly, as a share of its time; above it a launch would save
 * nothing. At most about 1,024 kernels can be pending, so a device that is the slower one shows in a lag of that many
 * kernels, not of whole steps: about a fifth of those of an encoder and two readers.
 */
const DEVICE_BOUND = 0.15;

/** Time and the device, as far as the lag needs them. */
export interface DeviceClock {
  /** Milliseconds. */
  now(): number;
  /** Until the device has nothing left to do. */
  wait(): void;
}

/** On a GPU sizes are rounded up even where no step is recorded. */
export function shapeMultiples(launcher: StepLauncher | null, device: t.Device): ShapeMultiples {
  return launcher?.multiples ?? (device === 'cpu' ? {} : FINE_MULTIPLES);
}

export interface LauncherOptions {
  /** Which steps become recordings; `at once`: every one from its second run on. Default: where it pays. */
  readonly records?: 'where it pays' | 'at once' | 'never';
  /** Where gradients and sums are gathered when several processes train; default: each in a tensor of its own. */
  readonly gather?: GradientSum | undefined;
  /** Of the device's memory, what recordings may fill beside plain steps; default: all. */
  readonly memoryShare?: number;
  /** Runs of a shape before it is recorded; the last of them tells how far the device lags behind. */
  readonly plainRuns?: number;
}

export class StepLauncher implements Disposable {
  readonly steps: t.cuda.RecordedSteps;
  readonly multiples: ShapeMultiples;
  readonly #sums: TermSums;
  readonly #owned: boolean;
  /** How often a key was asked for. */
  readonly #runs = new Map<string, number>();
  /** The lag of the device after a plain run of this key. */
  readonly #lags = new Map<string, number>();
  readonly #plainRuns: number;
  readonly #probing: boolean;
  readonly #room: RecordingRoom | null;
  readonly #clock: DeviceClock;

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

  /** @param options.mode see `RecordedSteps`; a step that is rehearsed runs plainly once */
  constructor(
    wire: LatentWire,
    options: LauncherOptions & {
      mode?: 'capture' | 'rehearse';
      multiples?: ShapeMultiples;
      clock?: DeviceClock;
    } = {},
  ) {
    const { mode = 'capture', records = 'where it pays' } = options;
    const atOnce = mode === 'rehearse' || records === 'at once';
    this.#plainRuns = options.plainRuns ?? (atOnce ? 1 : PLAIN_RUNS);
    const { device } = wire.encoder;
    this.#room =
      records === 'where it pays' ? new RecordingRoom(recordingMemory(device), options.memoryShare) : null;
    this.steps = new t.cuda.RecordedSteps({
      mode,
      device,
      plainRuns: this.#plainRuns,
      ...(this.#room !== null && { makeRoom: () => this.#room?.make() }),
      pays: (key) => records !== 'never' && (this.#lags.get(key) ?? 0) < DEVICE_BOUND,
    });
    this.#probing = records !== 'at once' && this.#plainRuns > 1;
    this.#clock = options.clock ?? { now: () => performance.now(), wait: () => t.synchronize(device) };
    this.multiples = options.multiples ?? (records === 'never' ? FINE_MULTIPLES : MULTIPLES);
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

  /** A micro-batch. @param key see `RecordedSteps.run` */
  run(key: string, body: () => void): void {
    const runs = (this.#runs.get(key) ?? 0) + 1;
    this.#runs.set(key, runs);
    if (this.#probing && runs === this.#plainRuns) this.#probe(key, body);
    else this.steps.run(key, body);
    this.#room?.note();
  }

  /** Whether the device, not the host, was the slower one for every key that was tried often enough. */
  get deviceBound(): boolean {
    return [...this.#lags.values()].every((lag) => lag >= DEVICE_BOUND);
  }

  #probe(key: string, body: () => void): void {
    const { now, wait } = this.#clock;
    // What is left of the work before would count as a lag of this one.
    wait();
    const began = now();
    this.steps.run(key, body);
    const issued = now();
    wait();
    const computed = now();
    this.#lags.set(key, (computed - issued) / (computed - began));
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
