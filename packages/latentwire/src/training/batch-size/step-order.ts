/**
 * The steps of a run and the examples of each: a function of settings, data and seed. Training takes its steps from here, and
 * `--batch-size auto` looks here for the heaviest of them before there is a step.
 */
import type { random } from '@latentwire/torch';
import type { RunConfig } from '../../config/index.js';
import { BatchPlan } from '../../data/index.js';
import type { PreparedData } from '../prepare.js';
import { partsOf } from '../team/shard.js';
import { type BatchPolicy, microBatchesOf } from './policy.js';

export interface StepOrder {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  /** Where a step begins: its epoch, and the batch of the plan of that epoch. */
  cursorAt(step: number): { epoch: number; batch: number };
  /** Example indices of a step, of all processes. */
  microBatchesAt(step: number): (readonly number[])[];
}

export interface StepOrderSource {
  readonly config: {
    readonly training: Pick<RunConfig['training'], 'epochs' | 'max_steps'>;
    readonly data: Pick<RunConfig['data'], 'questions_together'>;
  };
  readonly root: Pick<random.RandomRoot, 'stream'>;
}

export function stepOrder(
  { config, root }: StepOrderSource,
  { contexts }: Pick<PreparedData, 'contexts'>,
  policy: BatchPolicy,
): StepOrder {
  const { epochs, max_steps } = config.training;
  const plan = new BatchPlan({
    lengths: contexts.map((ids) => ids.length),
    batchSize: policy.planned,
    stream: root.stream('data-order'),
    groups: config.data.questions_together ? sharedTexts(contexts) : undefined,
  });
  const stepsPerEpoch = Math.ceil(plan.batchesPerEpoch / policy.perStep);
  const cursorAt: StepOrder['cursorAt'] = (step) => ({
    epoch: Math.floor(step / stepsPerEpoch),
    batch: (step % stepsPerEpoch) * policy.perStep,
  });
  return {
    stepsPerEpoch,
    totalSteps: Math.min(epochs * stepsPerEpoch, max_steps ?? Number.POSITIVE_INFINITY),
    cursorAt,
    microBatchesAt(step) {
      const { epoch, batch } = cursorAt(step);
      const last = Math.min(batch + policy.perStep, plan.batchesPerEpoch);
      return Array.from({ length: last - batch }, (_, i) => plan.batch(epoch, batch + i)).flatMap((planned) =>
        microBatchesOf(planned, policy),
      );
    },
  };
}

/** How far a run is looked at. */
export interface Horizon {
  readonly examples: number;
  readonly batches: number;
}

/** What each process computes at a time, from the first step on, until as much was seen or the run ends. */
export function firstMicroBatches(
  order: StepOrder,
  { processes }: Pick<BatchPolicy, 'processes'>,
  most: Horizon,
): (readonly number[])[] {
  const found: (readonly number[])[] = [];
  let examples = 0;
  for (let step = 0; step < order.totalSteps; step++) {
    if (examples >= most.examples || found.length >= most.batches) break;
    for (const microBatch of order.microBatchesAt(step)) {
      examples += microBatch.length;
      for (const part of partsOf(microBatch, { rank: 0, size: processes })) {
        if (part.length > 0) found.push(part);
      }
    }
  }
  return found;
}

/** A number for each text; questions on one text share its tokens, and so its number. */
function sharedTexts(contexts: readonly Int32Array[]): Int32Array {
  const numbers = new Map<Int32Array, number>();
  return Int32Array.from(contexts, (ids) => {
    const number = numbers.get(ids) ?? numbers.size;
    numbers.set(ids, number);
    return number;
  });
}
