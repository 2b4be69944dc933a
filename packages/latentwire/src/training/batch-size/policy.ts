/**
 * How many examples an optimiser step has, and into what micro-batches it is cut. With an effective batch the steps of a run
 * are made of the same examples whatever the micro-batch: a smaller GPU computes the same sums in more parts.
 */
import type { RunConfig } from '../../config/index.js';
import type { CheckpointState } from '../checkpoint/index.js';

export interface BatchPolicy {
  /** Most examples of a micro-batch of one process. */
  readonly microBatch: number;
  /** Examples of a batch of the plan of an epoch. */
  readonly planned: number;
  /** Batches of that plan per optimiser step. */
  readonly perStep: number;
  /** Processes that compute a micro-batch together, each its part. */
  readonly processes: number;
}

export function batchPolicy(
  { grad_accum, effective_batch }: Pick<RunConfig['training'], 'grad_accum' | 'effective_batch'>,
  microBatch: number,
  processes = 1,
): BatchPolicy {
  if (effective_batch === null) {
    return { microBatch, planned: microBatch * processes, perStep: grad_accum, processes };
  }
  const share = Math.ceil(effective_batch / processes);
  return { microBatch: Math.min(microBatch, share), planned: effective_batch, perStep: 1, processes };
}

/** A batch of the plan in equal parts, as few as the policy allows; they differ by one example at most. */
export function microBatchesOf(
  planned: readonly number[],
  { microBatch, processes }: BatchPolicy,
): number[][] {
  const parts = Math.ceil(planned.length / (microBatch * processes));
  const at = (part: number): number => Math.floor((part * planned.length) / parts);
  return Array.from({ length: parts }, (_, part) => planned.slice(at(part), at(part + 1)));
}

/**
 * Examples that the largest micro-batch of one process really has where `microBatch` are allowed: a step is cut into equal
 * parts, so 100 and 127 of a step of 128 come to the same 64.
 * @param examples of the dataset: no step has more
 */
export function usedMicroBatch(
  training: Pick<RunConfig['training'], 'grad_accum' | 'effective_batch'>,
  microBatch: number,
  { examples, processes = 1 }: { readonly examples: number; readonly processes?: number },
): number {
  const { planned, microBatch: most } = batchPolicy(training, microBatch, processes);
  const step = Math.min(planned, examples);
  const parts = Math.ceil(step / (most * processes));
  return Math.ceil(Math.ceil(step / parts) / processes);
}

/** What a checkpoint says of it. */
export function accumulationOf({
  microBatch,
  planned,
  perStep,
  processes,
}: BatchPolicy): CheckpointState['accumulation'] {
  const together = microBatch * processes;
  if (planned === together) return { batch_size: microBatch, grad_accum: perStep };
  return { batch_size: microBatch, grad_accum: Math.ceil(planned / together), effective_batch: planned };
}
