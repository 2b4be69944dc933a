/** The layers that adapters and encoders are made of. Initial values as PyTorch's. */

import { TorchError } from '../error.js';
import { dropout, embedding, layerNorm, rmsNorm, scaledDotProductAttention } from '../ops/functional.js';
import { linear } from '../ops/linalg.js';
import { gelu, silu } from '../ops/pointwise.js';
import { permute, reshape } from '../ops/shape.js';
import type { Tensor } from '../tensor.js';
import { constantParameter, normalParameter, type ParameterOptions, uniformParameter } from './init.js';
import { Module } from './module.js';

/** y = x Wᵀ + b. weight [out, in] and bias [out] start uniform in ±1/√in. */
export class Linear extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;

  constructor(inFeatures: number, outFeatures: number, o: ParameterOptions & { bias?: boolean } = {}) {
    super();
    const bound = 1 / Math.sqrt(inFeatures);
    this.weight = uniformParameter([outFeatures, inFeatures], bound, o);
    this.bias = (o.bias ?? true) ? uniformParameter([outFeatures], bound, o) : null;
  }

  /** [..., in] -> [..., out] */
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }
}

/** Rows of a table by id; weight [count, width] starts standard normal times std. */
export class Embedding extends Module {
  readonly weight: Tensor;

  constructor(count: number, width: number, o: ParameterOptions & { std?: number } = {}) {
    super();
    this.weight = normalParameter([count, width], o.std ?? 1, o);
  }

  /** int64 [...] -> [..., width] */
  forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids);
  }
}

/** Root-mean-square normalisation over the last dimension. */
export class RMSNorm extends Module {
  readonly weight: Tensor;

  constructor(
    width: number,
    private readonly eps = 1e-6,
    o: ParameterOptions = {},
  ) {
    super();
    this.weight = constantParameter([width], 1, o);
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight, this.eps);
  }
}

export class LayerNorm extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(
    width: number,
    private readonly eps = 1e-5,
    o: ParameterOptions = {},
  ) {
    super();
    this.weight = constantParameter([width], 1, o);
    this.bias = constantParameter([width], 0, o);
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.eps);
  }
}

/** Linear → activation → (dropout) → Linear. */
export class MLP extends Module {
  readonly up: Linear;
  readonly down: Linear;

  constructor(
    inFeatures: number,
    hidden: number,
    outFeatures: number,
    private readonly o: ParameterOptions & { activation?: 'gelu' | 'silu'; dropout?: number } = {},
  ) {
    super();
    this.up = new Linear(inFeatures, hidden, o);
    this.down = new Linear(hidden, outFeatures, o);
  }

  forward(x: Tensor, training = false): Tensor {
    const h = this.up.forward(x);
    const a = this.o.activation === 'silu' ? silu(h) : gelu(h);
    const p = this.o.dropout ?? 0;
    return this.down.forward(p > 0 ? dropout(a, p, training) : a);
  }
}

/** Multi-head attention by the fused kernel. query [B, Tq, D], key and value [B, Tk, D] -> [B, Tq, D]. */
export class MultiheadAttention extends Module {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;

  constructor(
    width: number,
    private readonly heads: number,
    o: ParameterOptions = {},
  ) {
    super();
    if (width % heads !== 0) throw new TorchError(`width ${width} is not a multiple of ${heads} heads`);
    this.query = new Linear(width, width, o);
    this.key = new Linear(width, width, o);
    this.value = new Linear(width, width, o);
    this.output = new Linear(width, width, o);
  }

  /** @param mask bool, true = attend, broadcastable to [B, heads, Tq, Tk]. */
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    o: { mask?: Tensor | null; causal?: boolean } = {},
  ): Tensor {
    const [b, tq, d] = [query.size(0), query.size(1), query.size(2)];
    const split = (x: Tensor): Tensor =>
      permute(reshape(x, [b, x.size(1), this.heads, d / this.heads]), [0, 2, 1, 3]);
    const attended = scaledDotProductAttention(
      split(this.query.forward(query)),
      split(this.key.forward(key)),
      split(this.value.forward(value)),
      o,
    );
    return this.output.forward(reshape(permute(attended, [0, 2, 1, 3]), [b, tq, d]));
  }
}
