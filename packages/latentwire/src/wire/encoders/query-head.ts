/**
 * Cross-attention pooler: M learned queries look at the token states (Perceiver, Jaegle et al. 2021; the original
 * LatentWire's LatentPooler). Weaker than window means at equal cost (docs/LOG.md), kept for comparison.
 */
import * as t from '@latentwire/torch';
import type { LatentCounts } from '../layout.js';
import { slotVectors } from '../slots.js';
import { LatentHead, type LatentHeadOptions, type TokenStates } from './latent-head.js';

export interface QueryHeadOptions extends LatentHeadOptions {
  /** Q, learned queries; other numbers of latents interpolate between them */
  readonly slots: number;
  /** D, width of queries and attention */
  readonly width: number;
  readonly heads: number;
}

/** states → Linear, LayerNorm; q + attention(q, states); + MLP(LayerNorm); then Linear → RMSNorm. */
export class QueryHead extends LatentHead {
  /** [Q, D] */
  readonly queries: t.Tensor;
  readonly input: t.nn.Linear;
  readonly inputNorm: t.nn.LayerNorm;
  readonly attention: t.nn.MultiheadAttention;
  readonly mlpNorm: t.nn.LayerNorm;
  readonly mlp: t.nn.MLP;
  readonly project: t.nn.Linear;
  readonly norm: t.nn.RMSNorm;
  readonly #slots: number;

  constructor(options: QueryHeadOptions) {
    super();
    const { width } = options;
    this.#slots = options.slots;
    this.queries = t.nn.normalParameter([options.slots, width], 1, options);
    this.input = new t.nn.Linear(options.inputWidth, width, options);
    this.inputNorm = new t.nn.LayerNorm(width, 1e-5, options);
    this.attention = new t.nn.MultiheadAttention(width, options.heads, options);
    this.mlpNorm = new t.nn.LayerNorm(width, 1e-5, options);
    this.mlp = new t.nn.MLP(width, 2 * width, width, options);
    this.project = new t.nn.Linear(width, options.latentWidth, options);
    this.norm = new t.nn.RMSNorm(options.latentWidth, 1e-6, options);
  }

  get finest(): number {
    return this.#slots;
  }

  forward({ states, real }: TokenStates, latents: LatentCounts): t.Tensor {
    const [batch, length] = [states.size(0), states.size(1)];
    const keys = this.inputNorm.forward(this.input.forward(states.to({ dtype: 'float32' })));
    const slots = slotVectors(this.queries, latents, batch);
    const queries = t.expand(slots, [batch, slots.size(1), slots.size(2)]);
    const mask = real === null ? null : t.view(real, [batch, 1, 1, length]);
    const read = t.add(queries, this.attention.forward(queries, keys, keys, { mask }));
    const mixed = t.add(read, this.mlp.forward(this.mlpNorm.forward(read)));
    return this.norm.forward(this.project.forward(mixed));
  }
}
