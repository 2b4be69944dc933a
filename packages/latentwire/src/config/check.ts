/**
 * Checks that need more than one setting. Run before anything is loaded or allocated; each names the settings
 * in conflict and what to change.
 */
import { LatentWireError } from '../errors.js';
import type { RunConfig } from './schema.js';

/** @throws LatentWireError `input` on the first conflict. */
export function checkConfig(config: RunConfig): void {
  const { model, data, training, system } = config;
  if (model.ids.length === 0) {
    throw invalid(
      'expected at least one frozen model, got none',
      'pass --model with a hub id, directory or .gguf file',
    );
  }
  const repeated = model.ids.find((id, index) => model.ids.indexOf(id) !== index);
  if (repeated !== undefined) {
    throw invalid(
      `expected different models, got ${repeated} twice`,
      'each model gets one adapter: name it once',
    );
  }
  const perStep = training.batch_size * training.grad_accum;
  if (data.samples !== null && data.samples < perStep) {
    throw invalid(
      `expected samples ≥ batch_size × grad_accum = ${perStep}, got ${data.samples}: not one full optimiser step`,
      'raise --samples, or lower --batch-size or --grad-accum',
    );
  }
  if (system.device === 'cpu' && model.dtype === 'float16') {
    throw invalid(
      'expected dtype float32 or bfloat16 on the CPU, got float16',
      'pass --dtype float32, or --device cuda',
    );
  }
}

function invalid(message: string, hint: string): LatentWireError {
  return new LatentWireError(message, { code: 'input', hint });
}
