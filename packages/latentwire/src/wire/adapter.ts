/**
 * Adapter: latents [B, M, d_z] -> soft prefix [B, M, D] of one frozen model.
 *
 *     n = LayerNorm(z + position)
 *     x = W₂ gelu(W₁ n) + W_skip n
 *     x = x ⊙ (1 + W_γ n) + W_β n                    FiLM (Perez et al. 2018), conditioned on the slot itself
 *     prefix = RMSNorm(x) · scale
 *
 * Calibration: `scale` is one learned number that starts at the RMS of the model's embedding table. Prefixes 100 times
 * too large are what stopped the original, so without calibration it starts at 1, where the original's stood. Position,
 * skip and FiLM start at zero: at first the adapter is the plain MLP, whose start is known to train (docs/LOG.md).
 */
import * as t from '@latentwire/torch';
import type { LatentCounts } from './layout.js';
import { slotVectors } from './slots.js';

export interface AdapterOptions extends t.nn.ParameterOptions {
  /** d_z */
  readonly latentWidth: number;
  readonly hidden: number;
  /** D */
  readonly modelWidth: number;
  readonly embeddingRms: number;
  /** Rows of the table of shared slots' positions; other numbers of slots interpolate. */
  readonly slots: number;
  /** Private latents, which come first and have positions of their own. */
  readonly privateLen: number;
  /** Ablation: one linear projection in place of everything but the last line. */
  readonly linearOnly: boolean;
  /** false = ablation: the scale starts at 1. */
  readonly calibrate: boolean;
}

export class Adapter extends t.nn.Module {
  readonly map: PrefixMap | t.nn.Linear;
  /** Scalar gain of the normalised prefix. */
  readonly scale: t.Tensor;

  constructor(options: AdapterOptions) {
    super();
    this.map = options.linearOnly
      ? new t.nn.Linear(options.latentWidth, options.modelWidth, options)
      : new PrefixMap(options);
    this.scale = t.nn.constantParameter([], options.calibrate ? options.embeddingRms : 1, options);
  }

  /**
   * @param z [B, P + max S, d_z], a reader's private latents and the shared ones
   * @param shared S, for all rows or per row; what comes after a row's last latent is meaningless
   */
  forward(z: t.Tensor, shared: LatentCounts): t.Tensor {
    return t.scope(() => this.scaled(this.directions(z, shared)));
  }

  /** The prefix at unit RMS, before the scale. */
  directions(z: t.Tensor, shared: LatentCounts): t.Tensor {
    return t.scope(() => {
      const mapped = this.map instanceof PrefixMap ? this.map.forward(z, shared) : this.map.forward(z);
      return t.rmsNorm(mapped);
    });
  }

  /** Directions -> prefix. */
  scaled(directions: t.Tensor): t.Tensor {
    return t.mul(directions, this.scale);
  }
}

/** Latents -> prefix, before normalisation. */
class PrefixMap extends t.nn.Module {
  /** [slots, d_z] */
  readonly position: t.Tensor;
  /** [P, d_z]; null without private latents */
  readonly privatePosition: t.Tensor | null;
  readonly norm: t.nn.LayerNorm;
  readonly mlp: t.nn.MLP;
  /** [D, d_z] */
  readonly skip: t.Tensor;
  /** [2·D, d_z], rows of γ, then β */
  readonly film: t.Tensor;

  constructor(options: AdapterOptions) {
    super();
    const { latentWidth, modelWidth, privateLen } = options;
    const zeros = (rows: number): t.Tensor => t.nn.constantParameter([rows, latentWidth], 0, options);
    this.position = zeros(options.slots);
    this.privatePosition = privateLen > 0 ? zeros(privateLen) : null;
    this.norm = new t.nn.LayerNorm(latentWidth, 1e-5, options);
    this.mlp = new t.nn.MLP(latentWidth, options.hidden, modelWidth, options);
    this.skip = zeros(modelWidth);
    this.film = zeros(2 * modelWidth);
  }

  forward(z: t.Tensor, shared: LatentCounts): t.Tensor {
    const n = this.norm.forward(t.add(z, this.#positions(shared, z.size(0))));
    const x = t.add(this.mlp.forward(n), t.linear(n, this.skip));
    const [gain, shift] = t.chunk(t.linear(n, this.film), 2, -1);
    return t.add(t.mul(x, t.add(gain!, 1)), shift!);
  }

  /** [1 or B, P + max S, d_z] */
  #positions(shared: LatentCounts, rows: number): t.Tensor {
    const common = slotVectors(this.position, shared, rows);
    if (this.privatePosition === null) return common;
    const own = t.expand(t.unsqueeze(this.privatePosition, 0), [common.size(0), -1, -1]);
    return t.cat([own, common], 1);
  }
}
