/**
 * States of a small pretrained language model. Trained fully: fp32 master weights, computed with in bf16 copies on
 * CUDA, made once per step inside the graph so that gradients reach the masters. Trained by LoRA, or not at all:
 * weights stay frozen in the compute dtype.
 */
import * as t from '@latentwire/torch';
import {
  type DecoderWeights,
  decoderFlop,
  FORWARD_ONLY,
  FROZEN_WITH_GRADIENT,
  type LanguageModel,
  mapWeights,
  namedWeights,
  TRAINED,
} from '../../models/decoder/index.js';
import { indexTensor } from '../compose.js';
import { LoraLayers } from './lora.js';
import { type EncoderBatch, TokenEncoder } from './token-encoder.js';

export interface LmTokenEncoderOptions {
  /** What trains: all weights but the output head, low-rank changes of the matrices, or nothing. */
  readonly train: 'full' | { readonly loraRank: number } | 'nothing';
  /** Causal attention; false lets every token see the whole text. */
  readonly causal: boolean;
  readonly computeDtype: t.FloatDType;
  readonly generator: t.Generator;
}

export class LmTokenEncoder extends TokenEncoder {
  /**
   * [final hidden state | token embedding]. The last state of a language model tells what comes next; the embedding
   * tells which word it was.
   */
  readonly width: number;
  readonly device: t.Device;
  /** null unless trained by LoRA */
  readonly lora: LoraLayers | null;
  readonly #model: LanguageModel;

  /**
   * @param model owned from now on. Fully trained: fp32 weights, which become trainable here; else weights in the
   * compute dtype.
   */
  constructor(
    model: LanguageModel,
    private readonly options: LmTokenEncoderOptions,
  ) {
    super();
    this.#model = model;
    this.width = 2 * model.config.hiddenSize;
    this.device = model.device;
    const { train, generator } = options;
    this.lora =
      typeof train === 'object'
        ? new LoraLayers(model.weights, train.loraRank, { generator, device: model.device })
        : null;
    for (const [, tensor] of this.#trainedWeights()) tensor.setRequiresGrad();
  }

  override *namedParameters(prefix = ''): Generator<[string, t.Tensor]> {
    const dot = prefix === '' ? '' : `${prefix}.`;
    for (const [name, tensor] of this.#trainedWeights()) yield [`${dot}model.${name}`, tensor];
    yield* super.namedParameters(prefix);
  }

  states(batch: EncoderBatch, real: t.Tensor | null): t.Tensor {
    if (this.options.train === 'nothing') return t.noGrad(() => this.#states(batch, real));
    return this.#states(batch, real);
  }

  flop(lengths: ArrayLike<number>): number {
    const { train, causal } = this.options;
    const frozen = train === 'nothing' ? FORWARD_ONLY : FROZEN_WITH_GRADIENT;
    return decoderFlop(this.#model.config, { lengths, causal }, train === 'full' ? TRAINED : frozen);
  }

  override dispose(): void {
    this.lora?.dispose();
    this.#model.dispose();
  }

  #states(batch: EncoderBatch, valid: t.Tensor | null): t.Tensor {
    const { config, device } = this.#model;
    const weights = this.#computeWeights();
    const ids = indexTensor(batch.ids, [batch.batch, batch.length], device);
    const rows = t.embedding(weights.embed, ids);
    const embeds = config.embeddingScale === 1 ? rows : t.mul(rows, config.embeddingScale);
    const hidden = this.#model.hidden(
      embeds,
      { causal: this.options.causal, valid, rightPadded: true },
      weights,
    );
    return t.cat([t.rmsNorm(hidden), t.rmsNorm(embeds)], -1);
  }

  *#trainedWeights(): Generator<[string, t.Tensor]> {
    if (this.options.train !== 'full') return;
    for (const [name, tensor] of namedWeights(this.#model.weights)) {
      if (name !== 'head') yield [name, tensor];
    }
  }

  #computeWeights(): DecoderWeights {
    const { computeDtype: dtype, train } = this.options;
    const { weights } = this.#model;
    if (this.lora !== null) return this.lora.added(weights);
    if (train !== 'full' || dtype === 'float32') return weights;
    // In one operator: one by one, each takes the host a call and autograd a node.
    const trained = [...this.#trainedWeights()];
    const cast = t.castAll(
      trained.map(([, tensor]) => tensor),
      dtype,
    );
    const named = new Map(trained.map(([name], i) => [name, cast[i]!]));
    return mapWeights(weights, (tensor, name) => named.get(name) ?? tensor);
  }
}
