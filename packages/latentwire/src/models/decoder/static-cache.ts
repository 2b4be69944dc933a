/**
 * Keys and values at fixed addresses, for steps of generation that are captured as a graph. Rows begin at place 0 and have
 * their own lengths, in device memory, so nothing is padded on the left and no mask is needed.
 */
import * as t from '@latentwire/torch';
import type { ModelConfig } from '../config/model-config.js';
import type { AttentionCache } from './kv-cache.js';

/** What the forward pass asks of a cache when every row gets one more position. */
export interface DecodingCache {
  /** Positions that fit. */
  readonly capacity: number;
  /** Joined projections [B, 1, H + 2·Hkv, d] of one layer -> what the queries attend to, [B, 1, H·d]. */
  attend(layer: number, qkv: t.Tensor, options: t.nn.DecodeOptions): t.Tensor;
}

interface LayerCache {
  readonly keys: t.Tensor;
  readonly values: t.Tensor;
}

export class StaticCache implements DecodingCache {
  readonly #layers: readonly LayerCache[];
  /** int64 [B]: how far each row is filled. */
  readonly positions: t.Tensor;
  /** bool [B]: rows that have ended; nothing is computed for them. */
  readonly ended: t.Tensor;
  readonly capacity: number;
  readonly dtype: t.DType;

  private constructor(layers: readonly LayerCache[], positions: t.Tensor, ended: t.Tensor) {
    this.#layers = layers;
    this.positions = positions;
    this.ended = ended;
    this.capacity = layers[0]!.keys.size(2);
    this.dtype = layers[0]!.keys.dtype;
  }

  /** @param options.rows most rows */
  static allocate(
    config: ModelConfig,
    options: { rows: number; capacity: number; dtype: t.DType; device: t.Device },
  ): StaticCache {
    const { rows, capacity, dtype, device } = options;
    const shape = [rows, config.kvHeads, capacity, config.headDim];
    // Zeros: what lies after a row's end is masked, and masked values must still be numbers.
    const make = (): t.Tensor => t.keep(t.zeros(shape, { dtype, device }));
    return new StaticCache(
      Array.from({ length: config.layers }, () => ({ keys: make(), values: make() })),
      t.keep(t.zeros([rows], { dtype: 'int64', device })),
      t.keep(t.zeros([rows], { dtype: 'bool', device })),
    );
  }

  /** The first rows of the same memory. */
  firstRows(rows: number): StaticCache {
    const first = (x: t.Tensor): t.Tensor => t.keep(t.narrow(x, 0, 0, rows));
    return new StaticCache(
      this.#layers.map(({ keys, values }) => ({ keys: first(keys), values: first(values) })),
      first(this.positions),
      first(this.ended),
    );
  }

  /** Takes the keys and values of prompts that begin at place 0; those prompts see themselves alone. */
  filling(): AttentionCache {
    return {
      length: 0,
      append: (layer, k, v) => {
        const { keys, values } = this.#layers[layer]!;
        for (const [to, from] of [
          [keys, k],
          [values, v],
        ] as const) {
          t.copy_(t.narrow(t.narrow(to, 0, 0, from.size(0)), 2, 0, from.size(2)), from);
        }
        return [k, v];
      },
      advance: () => {},
    };
  }

  attend(layer: number, qkv: t.Tensor, options: t.nn.DecodeOptions): t.Tensor {
    const { keys, values } = this.#layers[layer]!;
    const { positions, ended } = this;
    return t.nn.decodeAttention(qkv, { keys, values, positions, ended }, options);
  }

  dispose(): void {
    for (const { keys, values } of this.#layers) {
      keys.dispose();
      values.dispose();
    }
    this.positions.dispose();
    this.ended.dispose();
  }
}
