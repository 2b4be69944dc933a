/**
 * The device half of a micro-batch: encode, adapt, read, weigh, and add the gradient to that of the step. It runs the
 * same operators on the same shapes whenever the micro-batch has the same key, and changes outside tensors in place
 * only, so that it can be captured as one launch (`RecordedSteps`).
 */
import * as t from '@latentwire/torch';
import { alignmentLoss, answerTerms, readingLoss } from '../objective/index.js';
import type { LatentWire } from '../wire/index.js';
import { type MicroBatch, pick, type ReaderBatch } from './micro-batch.js';
import type { PreparedData, PreparedReader } from './prepare.js';

/** Sums over the micro-batches and readers of a step, without a graph. */
export interface TermSums {
  /** In the order of `answerTermNames`. */
  readonly answer: t.Tensor;
  readonly reading: t.Tensor;
  readonly alignment: t.Tensor;
}

/** Adds a micro-batch's gradient to the parameters' and its terms to `sums`. */
export function addMicroBatch(wire: LatentWire, data: PreparedData, batch: MicroBatch, sums: TermSums): void {
  t.scope(() => {
    const { active, stage } = batch.step;
    const z = wire.encode(batch.texts, batch.shared, {
      rounded: stage.rounded ?? true,
      readers: active,
    });
    const losses: t.Tensor[] = [];
    const add = (terms: { loss: t.Tensor; value: t.Tensor }, sum: t.Tensor): void => {
      t.noGrad(() => t.add_(sum, terms.value));
      losses.push(terms.loss);
    };
    for (const own of batch.readers) {
      const directions = wire.directions(z, own.reader, batch.shared);
      readerTerms(wire, data.readers[own.reader]!, batch, own, directions, sums, add);
    }
    t.backward(losses.reduce((a, b) => t.add(a, b)));
  });
}

function readerTerms(
  wire: LatentWire,
  { reader, statistics }: PreparedReader,
  batch: MicroBatch,
  own: ReaderBatch,
  directions: t.Tensor,
  sums: TermSums,
  add: (terms: { loss: t.Tensor; value: t.Tensor }, sum: t.Tensor) => void,
): void {
  const { active, stage, k, examples } = batch.step;
  const { weights } = stage;
  /** What a row weighs in a mean over the step. */
  const share = 1 / examples / active.length;
  const prefix = wire.adapters[own.reader]!.scaled(directions);
  if (own.answers !== null) {
    const { composed, teacher } = own.answers;
    const terms = answerTerms(reader.model, composed, rowsAt(prefix, batch.context!), {
      weights,
      k,
      counts: own.counts,
      teacher,
      statistics,
      share: share * batch.examples,
    });
    add({ loss: terms.loss, value: terms.values }, sums.answer);
  }
  if (own.texts !== null) {
    const target = {
      texts: own.texts,
      privateLen: wire.layout.privateLen,
      shared: pick(batch.shared, batch.context!),
      share,
      multiple: batch.step.multiples.texts ?? 1,
    };
    // Directions, not the prefix: a loss of directions pulls at their scale by rounding and epsilon only, which Adam takes
    // for a full step, until the prefix is too small to be read (docs/LOG.md).
    const aligned = rowsAt(directions, batch.context!);
    add(alignmentLoss(reader.model, aligned, target, weights.alignment), sums.alignment);
  }
  if (own.reading !== null) {
    const rows = rowsAt(prefix, batch.reading!);
    add(
      readingLoss(reader.model, own.reading, rows, own.counts.reading, weights.reconstruction),
      sums.reading,
    );
  }
}

/** Rows of the prefix; itself when they are all of them, in order. */
function rowsAt(vectors: t.Tensor, places: Int32Array): t.Tensor {
  if (places.length === vectors.size(0) && places.every((place, i) => place === i)) return vectors;
  const index = t.fromTypedArray(places, [places.length], { device: vectors.device }).to({ dtype: 'int64' });
  return t.indexSelect(vectors, 0, index);
}
