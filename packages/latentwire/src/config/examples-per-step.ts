/** Examples per optimiser step that a configuration asks for. */
import type { RunConfig } from './schema.js';

/** Where the batch size is to be found and nothing says how large a step is: as many as by default. */
const FOUND = 32;

export function examplesPerStep({
  batch_size,
  grad_accum,
  effective_batch,
}: Pick<RunConfig['training'], 'batch_size' | 'grad_accum' | 'effective_batch'>): number {
  return effective_batch ?? (batch_size === 'auto' ? FOUND : batch_size) * grad_accum;
}
