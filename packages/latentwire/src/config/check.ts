/**
 * Checks that need more than one setting. Run before anything is loaded or allocated; each names the settings
 * in conflict and what to change.
 */
import { LatentWireError } from '../errors.js';
import type { RunConfig } from './schema.js';

/** @throws LatentWireError `input` on the first conflict. */
export function checkConfig(config: RunConfig): void {
  const { model, data, encoder, wire, training, evaluation, system } = config;
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
  if (encoder.lora_rank !== null && encoder.type !== 'lm') {
    throw invalid(
      `expected no LoRA rank for the encoder ${encoder.type}, got ${encoder.lora_rank}`,
      'LoRA changes a language model: pass --encoder-type lm, or leave --encoder-lora-rank out',
    );
  }
  if (encoder.type !== 'lm' && encoder.width % encoder.heads !== 0) {
    throw invalid(
      `expected the encoder's width to be a multiple of its heads, got ${encoder.width} and ${encoder.heads}`,
      'change --encoder-width or --encoder-heads',
    );
  }
  const privates = wire.latent_private_len * model.ids.length;
  if (wire.latent_shared_len === null && wire.latent_len <= privates) {
    throw invalid(
      `expected M to leave a latent that all models share, got ${wire.latent_len} of which ${privates} are private`,
      'raise --latent-len, or lower --latent-private-len',
    );
  }
  requireBits(wire.bits, 'wire bits', '--wire-bits');
  if (evaluation.bits !== null) requireBits(evaluation.bits, 'bits of the evaluation', '--eval-bits');
  const { batch_size, grad_accum, effective_batch } = training;
  if (effective_batch !== null && grad_accum > 1) {
    throw invalid(
      `expected an effective batch or micro-batches per step, got both (${effective_batch} and ${grad_accum})`,
      'leave out --grad-accum: the effective batch is cut into as many micro-batches as it takes',
    );
  }
  const perStep = effective_batch ?? (batch_size === 'auto' ? 1 : batch_size) * grad_accum;
  if (data.samples !== null && data.samples < perStep) {
    const what = effective_batch === null ? 'batch_size × grad_accum' : 'effective_batch';
    throw invalid(
      `expected samples ≥ ${what} = ${perStep}, got ${data.samples}: not one full optimiser step`,
      'raise --samples, or lower --batch-size, --grad-accum or --effective-batch',
    );
  }
  if (system.device === 'cpu' && model.dtype === 'float16') {
    throw invalid(
      'expected dtype float32 or bfloat16 on the CPU, got float16',
      'pass --dtype float32, or --device cuda',
    );
  }
}

function requireBits(bits: number, what: string, flag: string): void {
  if (bits <= 8 || bits === 16 || bits === 32) return;
  throw invalid(`expected ${what} of 1 to 8, 16 or 32, got ${bits}`, `for example ${flag} 4`);
}

function invalid(message: string, hint: string): LatentWireError {
  return new LatentWireError(message, { code: 'input', hint });
}
