/** One encoder and one adapter per frozen model: everything that trains, and nothing else. */
import type * as t from '@latentwire/torch';
import { nn } from '@latentwire/torch';
import type { Adapter } from './adapter.js';
import type { EncoderBatch, LmEncoder } from './lm-encoder.js';

export class LatentWire extends nn.Module {
  readonly encoder: LmEncoder;
  /** In the order of the frozen models. */
  readonly adapters: readonly Adapter[];

  constructor(encoder: LmEncoder, adapters: readonly Adapter[]) {
    super();
    this.encoder = encoder;
    this.adapters = adapters;
  }

  /** Texts -> latents Z [B, M, d_z]. */
  encode(batch: EncoderBatch, latents?: number): t.Tensor {
    return this.encoder.encode(batch, latents);
  }

  /** Latents -> soft prefix [B, M, d_model] of one model. */
  prefix(z: t.Tensor, model: number): t.Tensor {
    return this.adapters[model]!.forward(z);
  }
}
