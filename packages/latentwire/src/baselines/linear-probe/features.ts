/** One vector per prompt from a layer of the frozen model. */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../../models/decoder/index.js';
import { encoderBatch, indexTensor, poolWindows } from '../../wire/index.js';

export interface FeatureOptions {
  /** 0: token embeddings; i: output of layer i; the number of layers: the normalised output of the last. */
  readonly layer: number;
  /** last: the state that would predict the answer; mean: over all tokens of the prompt */
  readonly pooling: 'last' | 'mean';
  readonly batchSize: number;
}

/**
 * float64 [n, D] on the model's device. A row does not depend on the others.
 * @param prompts token ids, none empty
 */
export function promptFeatures(
  model: LanguageModel,
  prompts: readonly Int32Array[],
  options: FeatureOptions,
): t.Tensor {
  const order = prompts.map((_, i) => i).sort((a, b) => prompts[b]!.length - prompts[a]!.length || a - b);
  return t.scope(() =>
    t.noGrad(() => {
      const parts: t.Tensor[] = [];
      for (let start = 0; start < order.length; start += options.batchSize) {
        const members = order.slice(start, start + options.batchSize).map((i) => prompts[i]!);
        parts.push(batchFeatures(model, members, options));
      }
      const places = new Int32Array(order.length);
      order.forEach((example, row) => {
        places[example] = row;
      });
      return t.indexSelect(t.cat(parts), 0, indexTensor(places, [places.length], model.device));
    }),
  );
}

function batchFeatures(
  model: LanguageModel,
  prompts: readonly Int32Array[],
  { layer, pooling }: FeatureOptions,
): t.Tensor {
  return t.scope(() => {
    const { ids, batch, length, lengths } = encoderBatch(prompts);
    // Padding is on the right and attention is causal: real positions never see it.
    const embeds = model.embed(indexTensor(ids, [batch, length], model.device));
    const states = model.allHidden(embeds, { rightPadded: true })[layer]!.to({ dtype: 'float64' });
    if (pooling === 'mean') return t.squeeze(poolWindows(states, lengths, 1), 1);
    const last = Int32Array.from(lengths, (n, row) => row * length + n - 1);
    return t.indexSelect(
      t.reshape(states, [batch * length, -1]),
      0,
      indexTensor(last, [batch], model.device),
    );
  });
}
