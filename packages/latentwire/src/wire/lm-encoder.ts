/**
 * Encoder `lm`: hidden states of a small pretrained language model, trained along with the wire, mean-pooled over M
 * windows and projected to d_z. Master weights are fp32; on CUDA the forward pass computes in bf16 copies made once
 * per step, inside the graph, so that gradients reach the masters.
 */
import * as t from '@latentwire/torch';
import {
  type DecoderWeights,
  type LanguageModel,
  mapWeights,
  namedWeights,
} from '../models/decoder/index.js';
import { indexTensor } from './compose.js';
import { poolWindows } from './pooling.js';

export interface LmEncoderOptions {
  readonly latents: number;
  readonly width: number;
  /** Causal attention; false lets every token see the whole text. */
  readonly causal: boolean;
  readonly computeDtype: t.FloatDType;
  readonly generator: t.Generator;
}

/** Token ids of a batch of texts, padded on the right. */
export interface EncoderBatch {
  readonly batch: number;
  readonly length: number;
  /** [B·T] */
  readonly ids: Int32Array;
  /** [B] real tokens per row */
  readonly lengths: Int32Array;
}

/** Pads token ids of texts on the right. */
export function encoderBatch(texts: readonly ArrayLike<number>[]): EncoderBatch {
  const length = Math.max(1, ...texts.map((ids) => ids.length));
  const ids = new Int32Array(texts.length * length);
  texts.forEach((text, row) => {
    ids.set(Array.from(text), row * length);
  });
  return {
    batch: texts.length,
    length,
    ids,
    // An empty text still has one (padding) token to pool, so that its latents are defined.
    lengths: Int32Array.from(texts, (text) => Math.max(1, text.length)),
  };
}

export class LmEncoder extends t.nn.Module {
  /**
   * [hidden state | token embedding], both pooled -> wire. [d_z, 2D]. The last state of a language model tells what
   * comes next; the embeddings tell which words the window held.
   */
  readonly project: t.nn.Linear;
  readonly norm: t.nn.RMSNorm;
  readonly #model: LanguageModel;
  readonly #trained: DecoderWeights;

  /** @param model fp32 weights; they become trainable here. The output head is not used and not trained. */
  constructor(
    model: LanguageModel,
    private readonly options: LmEncoderOptions,
  ) {
    super();
    this.#model = model;
    this.#trained = model.weights;
    const made = { generator: options.generator, device: model.device };
    this.project = new t.nn.Linear(2 * model.config.hiddenSize, options.width, made);
    this.norm = new t.nn.RMSNorm(options.width, 1e-6, made);
    for (const [, tensor] of this.#modelParameters()) tensor.setRequiresGrad();
  }

  override *namedParameters(prefix = ''): Generator<[string, t.Tensor]> {
    const dot = prefix === '' ? '' : `${prefix}.`;
    for (const [name, tensor] of this.#modelParameters()) yield [`${dot}model.${name}`, tensor];
    yield* super.namedParameters(prefix);
  }

  /**
   * Texts -> Z [B, M, d_z] in fp32, with root mean square near 1 (RMSNorm).
   * @param latents M; training may begin with more latents than the wire will have
   */
  encode(batch: EncoderBatch, latents: number = this.options.latents): t.Tensor {
    const { config, device } = this.#model;
    const weights = this.#computeWeights();
    const ids = indexTensor(batch.ids, [batch.batch, batch.length], device);
    const rows = t.embedding(weights.embed, ids);
    const embeds = config.embeddingScale === 1 ? rows : t.mul(rows, config.embeddingScale);
    const padded = batch.lengths.some((n) => n !== batch.length);
    const hidden = this.#model.hidden(
      embeds,
      { causal: this.options.causal, valid: padded ? this.#valid(batch) : null, rightPadded: true },
      weights,
    );
    const states = t.cat([t.rmsNorm(hidden), t.rmsNorm(embeds)], -1);
    const pooled = poolWindows(states, batch.lengths, latents);
    return this.norm.forward(this.project.forward(pooled.to({ dtype: 'float32' })));
  }

  *#modelParameters(): Generator<[string, t.Tensor]> {
    for (const [name, tensor] of namedWeights(this.#trained)) {
      if (name !== 'head') yield [name, tensor];
    }
  }

  #computeWeights(): DecoderWeights {
    const dtype = this.options.computeDtype;
    if (dtype === 'float32') return this.#trained;
    return mapWeights(this.#trained, (tensor, name) => (name === 'head' ? tensor : tensor.to({ dtype })));
  }

  #valid(batch: EncoderBatch): t.Tensor {
    const mask = new Uint8Array(batch.batch * batch.length);
    batch.lengths.forEach((n, row) => {
      mask.fill(1, row * batch.length, row * batch.length + n);
    });
    return t
      .fromTypedArray(mask, [batch.batch, batch.length], { device: this.#model.device })
      .to({ dtype: 'bool' });
  }
}
