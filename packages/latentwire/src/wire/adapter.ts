/**
 * Adapter: latents [B, M, d_z] -> soft prefix [B, M, d_model] of one frozen model. Linear → GELU → Linear, then each
 * vector is brought to unit RMS and multiplied by one learned scale that starts at the RMS of the model's embedding
 * table (calibration): untrained prefixes 100 times too large or small are what stopped the original.
 */
import * as t from '@latentwire/torch';

export interface AdapterOptions extends t.nn.ParameterOptions {
  readonly latentWidth: number;
  readonly hidden: number;
  readonly modelWidth: number;
  readonly embeddingRms: number;
  /** Ablation: one linear projection in place of the MLP. */
  readonly linearOnly: boolean;
  /** Ablation: no normalisation to the embedding scale. */
  readonly calibrate: boolean;
}

export class Adapter extends t.nn.Module {
  readonly map: t.nn.MLP | t.nn.Linear;
  /** Scalar gain of the normalised prefix; null when not calibrated. */
  readonly scale: t.Tensor | null;

  constructor(options: AdapterOptions) {
    super();
    const { latentWidth, hidden, modelWidth } = options;
    this.map = options.linearOnly
      ? new t.nn.Linear(latentWidth, modelWidth, options)
      : new t.nn.MLP(latentWidth, hidden, modelWidth, options);
    this.scale = options.calibrate ? t.nn.constantParameter([], options.embeddingRms, options) : null;
  }

  forward(z: t.Tensor): t.Tensor {
    const mapped = this.map.forward(z);
    return this.scale === null ? mapped : t.mul(t.rmsNorm(mapped), this.scale);
  }
}
