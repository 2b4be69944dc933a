/**
 * States of UTF-8 bytes: a transformer trained from scratch, the original LatentWire's encoder. It needs no tokenizer
 * and no pretrained weights; unlike the original's it never looks at padding. Layers are pre-norm (Xiong et al. 2020),
 * which trains without a long warm-up where the original's post-norm layers did not.
 */
import * as t from '@latentwire/torch';
import { indexTensor } from '../compose.js';
import { type EncoderBatch, TokenEncoder } from './token-encoder.js';

export interface ByteTokenEncoderOptions extends t.nn.ParameterOptions {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
}

/** x + attention(LayerNorm x), then x + MLP(LayerNorm x), the MLP four times as wide, GELU. */
export class TransformerLayer extends t.nn.Module {
  readonly attentionNorm: t.nn.LayerNorm;
  readonly attention: t.nn.MultiheadAttention;
  readonly mlpNorm: t.nn.LayerNorm;
  readonly mlp: t.nn.MLP;

  constructor(width: number, heads: number, o: t.nn.ParameterOptions) {
    super();
    this.attentionNorm = new t.nn.LayerNorm(width, 1e-5, o);
    this.attention = new t.nn.MultiheadAttention(width, heads, o);
    this.mlpNorm = new t.nn.LayerNorm(width, 1e-5, o);
    this.mlp = new t.nn.MLP(width, 4 * width, width, o);
  }

  /** @param mask bool [B, 1, 1, T], true = a token that may be looked at; null = all */
  forward(x: t.Tensor, mask: t.Tensor | null): t.Tensor {
    const n = this.attentionNorm.forward(x);
    const h = t.add(x, this.attention.forward(n, n, n, { mask }));
    return t.add(h, this.mlp.forward(this.mlpNorm.forward(h)));
  }
}

export class ByteTokenEncoder extends TokenEncoder {
  readonly width: number;
  readonly device: t.Device;
  readonly embed: t.nn.Embedding;
  readonly layers: readonly TransformerLayer[];
  readonly norm: t.nn.LayerNorm;
  /** Position table, made when it is first needed. */
  #positions: t.Tensor | null = null;

  constructor(options: ByteTokenEncoderOptions) {
    super();
    const { width, layers, heads } = options;
    this.width = width;
    this.device = t.parseDevice(options.device ?? 'cpu');
    this.embed = new t.nn.Embedding(256, width, options);
    this.layers = Array.from({ length: layers }, () => new TransformerLayer(width, heads, options));
    this.norm = new t.nn.LayerNorm(width, 1e-5, options);
  }

  states(batch: EncoderBatch, real: t.Tensor | null): t.Tensor {
    const ids = indexTensor(batch.ids, [batch.batch, batch.length], this.device);
    const mask = real === null ? null : t.view(real, [batch.batch, 1, 1, batch.length]);
    let x = t.add(this.embed.forward(ids), this.#positionsOf(batch.length));
    // A scope per layer frees its temporaries at once; what backward needs, the graph keeps.
    for (const layer of this.layers) x = t.scope(() => layer.forward(x, mask));
    return this.norm.forward(x);
  }

  flop(lengths: ArrayLike<number>): number {
    // Forward and both gradients of 12·D² numbers in a layer's matrices, and of attention over all pairs.
    const ofText = (n: number): number => 3 * 2 * (12 * this.width ** 2 * n + 2 * this.width * n ** 2);
    return this.layers.length * Array.from(lengths).reduce((sum, n) => sum + ofText(n), 0);
  }

  override dispose(): void {
    super.dispose();
    this.#positions?.dispose();
  }

  /** [T, D] */
  #positionsOf(length: number): t.Tensor {
    if (this.#positions === null || this.#positions.size(0) < length) {
      this.#positions?.dispose();
      // Powers of two, so that growing texts do not rebuild the table at each step.
      const rows = 2 ** Math.ceil(Math.log2(Math.max(length, 256)));
      const table = sinusoids(rows, this.width);
      this.#positions = t.keep(t.fromTypedArray(table, [rows, this.width], { device: this.device }));
    }
    return t.narrow(this.#positions, 0, 0, length);
  }
}

/** [T, D]: sin in even columns, cos in odd ones, wavelengths 2π to 10,000·2π (Vaswani et al. 2017, §3.5). */
function sinusoids(length: number, width: number): Float32Array {
  const table = new Float32Array(length * width);
  for (let i = 0; i < width; i++) {
    const frequency = 10_000 ** (-(i - (i % 2)) / width);
    const wave = i % 2 === 0 ? Math.sin : Math.cos;
    for (let p = 0; p < length; p++) table[p * width + i] = wave(p * frequency);
  }
  return table;
}
