/** One encoder and one adapter per frozen model: everything that trains, and nothing else. */
import * as t from '@latentwire/torch';
import type { Adapter } from './adapter.js';
import { type Quantisation, Quantiser } from './codec/index.js';
import type { Encoder, EncoderBatch } from './encoders/index.js';
import type { LatentCounts, LatentLayout } from './layout.js';

export interface LatentWireParts {
  readonly encoder: Encoder;
  /** In the order of the frozen models. */
  readonly adapters: readonly Adapter[];
  readonly layout: LatentLayout;
  /** What sending does to Z, inside the graph (quantisation); absent: nothing. */
  readonly transmit?: (z: t.Tensor) => t.Tensor;
}

export interface EncodeOptions {
  /** false = Z as the encoder made it; training may begin without rounding. Default true. */
  readonly rounded?: boolean | undefined;
  /** Readers whose private latents are to train. Default: all. */
  readonly readers?: readonly number[];
}

export class LatentWire extends t.nn.Module {
  readonly encoder: Encoder;
  readonly adapters: readonly Adapter[];
  readonly layout: LatentLayout;
  readonly #transmit: (z: t.Tensor) => t.Tensor;

  constructor(parts: LatentWireParts) {
    super();
    this.encoder = parts.encoder;
    this.adapters = parts.adapters;
    this.layout = parts.layout;
    this.#transmit = parts.transmit ?? ((z) => z);
  }

  /**
   * Texts -> Z as it arrives, [B, n·P + max S, d_z], in the order that `LatentLayout` states.
   * @param shared S per text; training may begin with more latents than the wire will have
   */
  encode(
    batch: EncoderBatch,
    shared: LatentCounts = this.layout.shared(batch.lengths),
    { rounded = true, readers }: EncodeOptions = {},
  ): t.Tensor {
    const z = this.encoder.encode(batch, shared, readers);
    return rounded ? this.#transmit(z) : z;
  }

  /** The same encoder and adapters with messages of another precision. It shares, and does not own, the parameters. */
  sentAs(quantisation: Quantisation): LatentWire {
    const quantiser = new Quantiser(quantisation);
    const { encoder, adapters, layout } = this;
    return new LatentWire({ encoder, adapters, layout, transmit: (z) => quantiser.forward(z) });
  }

  /**
   * Z -> soft prefix [B, P + max S, D] of one model; row b has `layout.seen(shared)[b]` real vectors, at its start.
   * @param shared S per text, as given to `encode`; absent: all rows fill Z
   */
  prefix(z: t.Tensor, model: number, shared?: LatentCounts): t.Tensor {
    return t.scope(() => this.adapters[model]!.scaled(this.directions(z, model, shared)));
  }

  /** The soft prefix before its scale: vectors at unit RMS. Arguments as of `prefix`. */
  directions(z: t.Tensor, model: number, shared?: LatentCounts): t.Tensor {
    return t.scope(() => {
      const seen = seenLatents(z, this.layout, model);
      return this.adapters[model]!.directions(seen, shared ?? seen.size(1) - this.layout.privateLen);
    });
  }

  /** Whether a parameter (by its name here) starts from pretrained weights and so learns at the encoder's rate. */
  isPretrained(name: string): boolean {
    return /^encoder\.tokens\.(?:model|lora)\./.test(name);
  }

  /** Whether a parameter is the size of a prefix, which losses of directions do not reach. */
  isScale(name: string): boolean {
    return /^adapters\.\d+\.scale$/.test(name);
  }

  /** The reader that alone uses a parameter; null for those of all. */
  readerOf(name: string): number | null {
    const match = /^(?:adapters|encoder\.private)\.(\d+)\./.exec(name);
    return match === null ? null : Number(match[1]);
  }

  override dispose(): void {
    this.encoder.dispose();
    for (const adapter of this.adapters) adapter.dispose();
  }
}

/** What one reader is shown of Z [B, n·P + max S, d_z]: its private latents, then the shared ones, [B, P + max S, d_z]. */
export function seenLatents(
  z: t.Tensor,
  { privateLen, readers }: Pick<LatentLayout, 'privateLen' | 'readers'>,
  model: number,
): t.Tensor {
  const common = t.narrow(z, 1, readers * privateLen, z.size(1) - readers * privateLen);
  return privateLen === 0 ? common : t.cat([t.narrow(z, 1, model * privateLen, privateLen), common], 1);
}
