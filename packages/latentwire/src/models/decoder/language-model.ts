/**
 * A frozen decoder-only language model: embeddings, hidden states, logits at asked positions and greedy generation.
 * Weights do not require gradients, so a backward pass reaches the input embeddings and builds nothing else.
 */
import * as t from '@latentwire/torch';
import type { LayerAttention, ModelConfig } from '../config/model-config.js';
import { decoderForward, type ForwardOptions } from './forward.js';
import { type RopeTable, ropeTable } from './rope.js';
import { type DecoderWeights, namedWeights } from './weights.js';

export class LanguageModel {
  readonly device: t.Device;
  readonly dtype: t.DType;
  /** Whether training keeps only the input of each layer and computes the rest again (gradient checkpointing). */
  recomputeLayers = false;
  /** By kind of layer and dtype: an encoder computes in bf16 from fp32 weights. */
  readonly #tables = new Map<string, RopeTable>();
  #tableLength = 0;
  #embeddingRms: number | undefined;
  #scale: number | undefined;

  constructor(
    readonly config: ModelConfig,
    readonly weights: DecoderWeights,
  ) {
    this.device = weights.embed.device;
    this.dtype = weights.embed.dtype;
  }

  /** Token ids int64 [B, T] -> embeddings [B, T, D], scaled as the family does. */
  embed(ids: t.Tensor): t.Tensor {
    const rows = t.embedding(this.weights.embed, ids);
    return this.config.embeddingScale === 1 ? rows : t.mul(rows, this.#roundedScale());
  }

  /**
   * Embeddings [B, T, D] (as `embed` makes them) -> final hidden states [B, T, D], or [N, D] of `options.places`.
   * @param weights others of the same shape in the dtype of `embeds` (a trained copy, say)
   */
  hidden(embeds: t.Tensor, options: ForwardOptions = {}, weights: DecoderWeights = this.weights): t.Tensor {
    const tables = (kind: LayerAttention, n: number): RopeTable => this.#table(kind, n, embeds.dtype);
    const recompute = this.recomputeLayers;
    return decoderForward(this.config, weights, tables, embeds, { recompute, ...options });
  }

  /** Hidden states of any rows [..., D] -> logits [..., V]. */
  logits(hidden: t.Tensor): t.Tensor {
    return t.linear(hidden, this.weights.head);
  }

  /** Outputs of the embedding, of each layer and of the final norm: layers + 1 tensors [B, T, D]. */
  allHidden(embeds: t.Tensor, options: ForwardOptions = {}): t.Tensor[] {
    const states: t.Tensor[] = [];
    this.hidden(embeds, { ...options, onHidden: (state) => states.push(state) });
    return states;
  }

  /** Root mean square of the (scaled) embedding table: the size that input vectors have. */
  get embeddingRms(): number {
    this.#embeddingRms ??= t.scope(() =>
      t.noGrad(() => {
        const squares = t.mean(t.square(this.weights.embed.to({ dtype: 'float32' })));
        return Math.sqrt(squares.item()) * this.config.embeddingScale;
      }),
    );
    return this.#embeddingRms;
  }

  /** Positions that the tables of angles have now; they are made anew, at other addresses, when more are needed. */
  get tablePositions(): number {
    return this.#tableLength;
  }

  /** Frees weights and tables. */
  dispose(): void {
    for (const tensor of namedWeights(this.weights).values()) tensor.dispose();
    this.#dropTables();
  }

  #roundedScale(): number {
    // Hugging Face stores the factor in the model's dtype; √640 in bf16 is 25.25.
    const scale = this.config.embeddingScale;
    if (this.dtype === 'float32') return Math.fround(scale);
    this.#scale ??= t.scope(() => t.full([], scale, { dtype: this.dtype }).item());
    return this.#scale;
  }

  #table(kind: LayerAttention, positions: number, dtype: t.DType): RopeTable {
    if (positions > this.#tableLength) {
      this.#dropTables();
      // Powers of two, so that growing sequences do not rebuild the table at each step.
      this.#tableLength = 2 ** Math.ceil(Math.log2(Math.max(positions, 256)));
    }
    const key = `${kind} ${dtype}`;
    let table = this.#tables.get(key);
    if (table === undefined) {
      const rope = kind === 'sliding' ? (this.config.localRope ?? this.config.rope) : this.config.rope;
      table = ropeTable(rope, this.config.headDim, this.#tableLength, dtype, this.device);
      this.#tables.set(key, table);
    }
    return table;
  }

  #dropTables(): void {
    for (const { cos, sin } of this.#tables.values()) {
      cos.dispose();
      sin.dispose();
    }
    this.#tables.clear();
  }
}
