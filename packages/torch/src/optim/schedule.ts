/**
 * Learning-rate schedules as pure functions of the step. A schedule is plain data, so it can sit in a config
 * file or a checkpoint; there is no scheduler object whose state could be lost or stepped twice.
 *
 * Steps are optimiser steps, not micro-batches: with gradient accumulation G, one step covers G micro-batches.
 * Step 0 is the first update. Values equal those of `transformers.optimization` (get_constant_schedule_with_
 * warmup, get_linear_…, get_cosine_with_min_lr_…, get_wsd_schedule) where those are defined; past the last
 * step ours stay at the floor.
 */
import { TorchError } from '../error.js';

interface Warmup {
  /** Steps of linear rise from 0 to the peak; the first update of a warm-up has rate 0. Default 0. */
  readonly warmupSteps?: number;
}

interface Decay extends Warmup {
  /** All optimiser steps of the run, warm-up included. */
  readonly totalSteps: number;
  /** The lowest rate as a fraction of the peak, in [0, 1]. Default 0. */
  readonly floorRatio?: number;
}

/** Peak rate after the warm-up, for ever. */
export interface ConstantSchedule extends Warmup {
  readonly kind: 'constant';
}

/** Straight line from the peak to the floor at `totalSteps`. */
export interface LinearSchedule extends Decay {
  readonly kind: 'linear';
}

/** Half a cosine from the peak to the floor at `totalSteps` (Loshchilov & Hutter, SGDR, ICLR 2017). */
export interface CosineSchedule extends Decay {
  readonly kind: 'cosine';
}

/** Warm-up, stable, decay: the peak until `totalSteps - decaySteps`, then down to the floor (Hu et al., MiniCPM, 2024). */
export interface WsdSchedule extends Decay {
  readonly kind: 'wsd';
  readonly decaySteps: number;
  /** Form of the descent. Default 'linear'; '1-sqrt' falls fastest at first (Hägele et al., 2024). */
  readonly decayShape?: DecayShape;
}

export type DecayShape = 'linear' | 'cosine' | '1-sqrt';

export type LearningRateSchedule = ConstantSchedule | LinearSchedule | CosineSchedule | WsdSchedule;

/**
 * The fraction of the peak learning rate that `step` uses, in [0, 1].
 *
 * @param step optimiser steps done before this one (0 for the first)
 * @throws TorchError when a step count is not a whole number ≥ 0, the floor is outside [0, 1], or the parts
 *   are longer than the whole
 */
export function learningRateFactor(schedule: LearningRateSchedule, step: number): number {
  checkSchedule(schedule);
  checkSteps('step', step);
  const warmupSteps = schedule.warmupSteps ?? 0;
  if (step < warmupSteps) return step / warmupSteps;
  if (schedule.kind === 'constant') return 1;
  const decaySteps = schedule.kind === 'wsd' ? schedule.decaySteps : schedule.totalSteps - warmupSteps;
  const decayStart = schedule.totalSteps - decaySteps;
  if (step < decayStart) return 1;
  const floor = schedule.floorRatio ?? 0;
  if (step >= schedule.totalSteps) return floor;
  const shape = schedule.kind === 'wsd' ? (schedule.decayShape ?? 'linear') : schedule.kind;
  return floor + (1 - floor) * descent(shape, (step - decayStart) / decaySteps);
}

/** Throws TorchError when the schedule contradicts itself, so that a config is refused before training. */
export function checkSchedule(schedule: LearningRateSchedule): void {
  const warmupSteps = schedule.warmupSteps ?? 0;
  checkSteps('warmupSteps', warmupSteps);
  if (schedule.kind === 'constant') return;
  checkSteps('totalSteps', schedule.totalSteps);
  const decaySteps = schedule.kind === 'wsd' ? schedule.decaySteps : 0;
  checkSteps('decaySteps', decaySteps);
  if (warmupSteps + decaySteps > schedule.totalSteps) {
    throw new TorchError(
      `${schedule.kind} schedule: expected warmupSteps + decaySteps ≤ totalSteps, ` +
        `got ${warmupSteps} + ${decaySteps} > ${schedule.totalSteps}`,
    );
  }
  const floor = schedule.floorRatio ?? 0;
  if (!(floor >= 0 && floor <= 1)) {
    throw new TorchError(`${schedule.kind} schedule: expected floorRatio in [0, 1], got ${floor}`);
  }
}

/** From 1 at progress 0 to 0 at progress 1. */
function descent(shape: DecayShape, progress: number): number {
  switch (shape) {
    case 'linear':
      return 1 - progress;
    case 'cosine':
      return 0.5 * (1 + Math.cos(Math.PI * progress));
    case '1-sqrt':
      return 1 - Math.sqrt(progress);
  }
}

function checkSteps(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new TorchError(`learning-rate schedule: expected ${name} to be a whole number ≥ 0, got ${value}`);
  }
}
