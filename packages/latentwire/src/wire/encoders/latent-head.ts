/** What every encoder ends with: states of tokens -> latents of width d_z. */
import * as t from '@latentwire/torch';
import type { LatentCounts } from '../layout.js';
import { poolWindows } from '../pooling.js';

/** States of a batch, with what tells real tokens from padding. */
export interface TokenStates {
  /** [B, T, W] */
  readonly states: t.Tensor;
  /** [B] */
  readonly lengths: Int32Array;
  /** bool [B, T]; null when nothing is padded */
  readonly real: t.Tensor | null;
}

export interface LatentHeadOptions extends t.nn.ParameterOptions {
  /** W, width of the states */
  readonly inputWidth: number;
  /** d_z */
  readonly latentWidth: number;
}

export abstract class LatentHead extends t.nn.Module {
  /** More latents than this cannot be told apart at the start of training; Infinity when there is no limit. */
  abstract readonly finest: number;

  /**
   * States -> latents [B, max M, d_z], fp32, root mean square near 1. A row's latents depend on that row only; what
   * stands after its last latent is meaningless.
   */
  abstract forward(tokens: TokenStates, latents: LatentCounts): t.Tensor;
}

/** Mean of the states over M windows -> Linear → RMSNorm. */
export class WindowHead extends LatentHead {
  readonly project: t.nn.Linear;
  readonly norm: t.nn.RMSNorm;
  readonly finest = Number.POSITIVE_INFINITY;

  constructor(options: LatentHeadOptions) {
    super();
    this.project = new t.nn.Linear(options.inputWidth, options.latentWidth, options);
    this.norm = new t.nn.RMSNorm(options.latentWidth, 1e-6, options);
  }

  forward({ states, lengths }: TokenStates, latents: LatentCounts): t.Tensor {
    const pooled = poolWindows(states, lengths, latents);
    return this.norm.forward(this.project.forward(pooled.to({ dtype: 'float32' })));
  }
}
