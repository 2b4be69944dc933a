/**
 * What a checkpoint says besides its tensors: everything that the next step is a function of and that is not in the
 * configuration. Plain JSON in the header of the file.
 */
import { z } from 'zod';
import { LatentWireError } from '../../errors.js';

export const CHECKPOINT_FORMAT = 'latentwire-checkpoint';
export const CHECKPOINT_VERSION = '2';

const digestsSchema = z.object({ weights: z.string(), optimizer: z.string(), cursor: z.string() });

const stateSchema = z.object({
  /** Optimiser steps done. */
  step: z.int().min(0),
  total_steps: z.int().min(0),
  /** All steps are done; what is left is evaluation. */
  finished: z.boolean(),
  /** The next micro-batch: its epoch and its place in that epoch. */
  cursor: z.object({ epoch: z.int(), batch: z.int() }),
  accumulation: z.object({
    batch_size: z.int(),
    grad_accum: z.int(),
    /** Examples of a step that is cut into micro-batches of `batch_size`; absent: a step is `grad_accum` batches. */
    effective_batch: z.int().optional(),
  }),
  /** Random numbers are counted from the seed: the position is the step. */
  random: z.object({ seed: z.string(), position: z.int() }),
  /** Learning-rate schedule as data, and the share of the peak at the last step. */
  schedule: z.record(z.string(), z.unknown()),
  /** Examples trained on, over all attempts. */
  samples: z.number(),
  /** Seconds of training over all attempts, lost steps not counted. */
  elapsed_seconds: z.number(),
  last_loss: z.number().nullable(),
  best: z.object({ loss: z.number(), step: z.int() }).nullable(),
  /** Attempts so far, this one included. */
  attempt: z.int(),
  /** Digests of the live tensors at this step, when they were computed. */
  digests: digestsSchema.nullable(),
});

export type CheckpointState = z.infer<typeof stateSchema>;
export type StateDigests = z.infer<typeof digestsSchema>;

/** @throws LatentWireError `format` */
export function parseState(metadata: Readonly<Record<string, string>>, file: string): CheckpointState {
  const { format, version } = metadata;
  if (format !== CHECKPOINT_FORMAT || version !== CHECKPOINT_VERSION) {
    throw new LatentWireError(
      `${file}: expected a ${CHECKPOINT_FORMAT} of version ${CHECKPOINT_VERSION}, got ${format ?? 'another file'} ${version ?? ''}`.trim(),
      { code: 'format', hint: 'it was written by another version or program' },
    );
  }
  try {
    return stateSchema.parse(JSON.parse(metadata.state ?? ''));
  } catch (cause) {
    throw new LatentWireError(`${file}: expected the state of a training in its header, got something else`, {
      code: 'format',
      cause,
    });
  }
}
