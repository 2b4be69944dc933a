/** Keys and values of past positions, allocated once for the longest sequence of a generation. */
import * as t from '@latentwire/torch';
import type { ModelConfig } from '../config/model-config.js';

/** What the forward pass asks of a cache: keys and values of one call go in, those of all positions come out. */
export interface AttentionCache {
  /** Positions of the calls before this one. */
  readonly length: number;
  /** k, v [B, Hkv, T, d] of one layer of this call -> keys and values of all positions so far. */
  append(layer: number, k: t.Tensor, v: t.Tensor): [keys: t.Tensor, values: t.Tensor];
  /** Ends a call of `positions` positions. */
  advance(positions: number): void;
}

export class KVCache implements AttentionCache, Disposable {
  /** Positions filled so far. */
  length = 0;
  readonly #keys: t.Tensor[] = [];
  readonly #values: t.Tensor[] = [];

  constructor(
    config: ModelConfig,
    batch: number,
    readonly capacity: number,
    options: { dtype: t.DType; device: t.Device },
  ) {
    for (let i = 0; i < config.layers; i++) {
      const shape = [batch, config.kvHeads, capacity, config.headDim];
      this.#keys.push(t.keep(t.empty(shape, options)));
      this.#values.push(t.keep(t.empty(shape, options)));
    }
  }

  /**
   * Appends k, v [B, Hkv, T, d] of one layer after `length` and returns all keys and values so far.
   * `length` itself is advanced once per forward pass, by `advance`.
   */
  append(layer: number, k: t.Tensor, v: t.Tensor): [keys: t.Tensor, values: t.Tensor] {
    const added = k.size(2);
    const end = this.length + added;
    if (end > this.capacity) {
      throw new RangeError(`KV cache: ${end} positions do not fit a capacity of ${this.capacity}`);
    }
    const keys = this.#keys[layer]!;
    const values = this.#values[layer]!;
    t.copy_(t.narrow(keys, 2, this.length, added), k);
    t.copy_(t.narrow(values, 2, this.length, added), v);
    return [t.narrow(keys, 2, 0, end), t.narrow(values, 2, 0, end)];
  }

  advance(positions: number): void {
    this.length += positions;
  }

  [Symbol.dispose](): void {
    for (const tensor of [...this.#keys, ...this.#values]) tensor.dispose();
  }
}
