/**
 * All micro-batches of an optimiser step, composed. A function of token ids, layout and step alone: the main thread and
 * worker threads compute the same.
 */
import type { LatentLayout, ShapeMultiples } from '../wire/index.js';
import { readExamples } from './messages.js';
import { composeMicroBatch, countTargets, type MicroBatch, type StepShape } from './micro-batch.js';
import type { ComposableData } from './prepare.js';
import { partOf, partsOf, type Shard } from './team/shard.js';

export interface StepSpec {
  readonly stage: StepShape['stage'];
  /** K, early answer tokens with a term of their own. */
  readonly k: number;
  /** Readers of the step. */
  readonly active: readonly number[];
  readonly continues: (example: number) => boolean;
  readonly readOnce?: boolean;
  readonly readingWindow: StepShape['readingWindow'];
  readonly multiples: ShapeMultiples;
  /** This process's part of every micro-batch; default: all of it. */
  readonly shard?: Shard | undefined;
}

export interface StepBatches {
  readonly step: StepShape;
  readonly batches: readonly MicroBatch[];
}

/** @param microBatches example indices, of all processes: a step counts all of them */
export function composeStep(
  data: ComposableData,
  layout: LatentLayout,
  microBatches: readonly (readonly number[])[],
  spec: StepSpec,
): StepBatches {
  const { shard, ...shape } = spec;
  const { k, active, continues, readingWindow } = spec;
  const all = microBatches.flat();
  const shared = { continues, readingWindow, k, readers: active.length };
  const parts = microBatches.flatMap((indices) => partsOf(indices, shard));
  const read = parts.flatMap((indices) => readExamples(data, indices, spec));
  const counts = new Map(
    active.map((reader) => [reader, countTargets(data.readers[reader]!, all, read, shared)]),
  );
  const step: StepShape = { ...shape, counts, examples: all.length };
  const own = microBatches.map((indices) => partOf(indices, shard)).filter((part) => part.length > 0);
  return { step, batches: own.map((indices) => composeMicroBatch(data, layout, indices, step)) };
}
