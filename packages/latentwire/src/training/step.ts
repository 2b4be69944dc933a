/** One optimiser step: forward and backward of its micro-batches, clip, AdamW. The atomic event of a run. */
import * as t from '@latentwire/torch';
import {
  type AnswerCounts,
  type AnswerTerms,
  alignmentLoss,
  answerLoss,
  answerTerms,
  earlyTokens,
} from '../objective/index.js';
import { type ComposedBatch, compose, encoderBatch, type LatentWire, type Segment } from '../wire/index.js';
import { type MicroBatchTexts, microBatchTexts, readingTarget } from './messages.js';
import type { WireOptimizer } from './optimizer.js';
import type { PreparedData, PreparedReader } from './prepare.js';
import type { Stage, StageWeights } from './stages.js';

/** Every term of a step, unweighted; null when it was not computed. */
export interface StepTerms {
  /** Mean −log p per answer token, averaged over readers. */
  readonly answer_loss: number | null;
  readonly first_token_loss: number | null;
  readonly k_token_loss: number | null;
  readonly kd_loss: number | null;
  readonly manifold_loss: number | null;
  readonly alignment_loss: number | null;
  /** Mean −log p per context token that is repeated or continued. */
  readonly reconstruction_loss: number | null;
}

export interface StepResult {
  /** Weighted sum of the terms. */
  readonly loss: number;
  readonly terms: StepTerms;
  /** Norm of all gradients before clipping. */
  readonly gradNorm: number;
  readonly examples: number;
  /** Supervised tokens, summed over readers. */
  readonly targetTokens: number;
  /** Tokens through encoder and readers, padding not counted. */
  readonly tokens: number;
}

export interface StepOptions {
  /** 0 = no clipping */
  readonly maxGradNorm: number;
  /** Latents of this step and the weight of each part of the objective; a part of weight 0 is not computed. */
  readonly stage: Pick<Stage, 'expansion' | 'weights'> & Partial<Pick<Stage, 'rounded'>>;
  /** K, early answer tokens with a term of their own. */
  readonly k: number;
  /** Readers of this step; default: all. */
  readonly readers?: readonly number[];
  /** Whether an example's context is continued from its first part in this step; default: none is. */
  readonly continues?: (example: number) => boolean;
}

/** What the means of a step divide by: counts over all its micro-batches, per reader. */
interface ReaderCounts extends AnswerCounts {
  readonly reading: number;
}

/** @param microBatches example indices; their gradients add up to that of one big batch. */
export function trainStep(
  wire: LatentWire,
  data: PreparedData,
  optimizer: WireOptimizer,
  microBatches: readonly (readonly number[])[],
  options: StepOptions,
): StepResult {
  const all = microBatches.flat();
  const { weights } = options.stage;
  const active = options.readers ?? data.readers.map((_, k) => k);
  const continues = options.continues ?? (() => false);
  const counts = new Map(
    active.map((k) => [k, countTargets(data.readers[k]!, all, continues, options.k, active.length)]),
  );
  return t.scope(() => {
    const device = data.readers[0]!.reader.model.device;
    const sums: Sums = {
      answer: t.zeros([5], { device }),
      reading: t.zeros([], { device }),
      alignment: t.zeros([], { device }),
    };
    let tokens = 0;
    for (const indices of microBatches) {
      const share = indices.length / all.length / active.length;
      tokens += t.scope(() => {
        const texts = microBatchTexts(data, indices, weights, continues);
        const batch = encoderBatch(texts.tokens);
        const shared = wire.layout.shared(batch.lengths, options.stage.expansion);
        const z = wire.encode(batch, shared, {
          rounded: options.stage.rounded,
          readers: active,
        });
        const losses: t.Tensor[] = [];
        let read = batch.lengths.reduce((a, b) => a + b, 0);
        for (const k of active) {
          const reader = data.readers[k]!;
          const prefix = { vectors: wire.prefix(z, k, shared), seen: wire.layout.seen(shared) };
          const add = (loss: t.Tensor, value: t.Tensor, sum: t.Tensor): void => {
            t.noGrad(() => t.add_(sum, value));
            losses.push(loss);
          };
          if (hasAnswers(weights)) {
            const rows = answerRows(reader, indices, texts, prefix);
            read += realTokens(rows.composed);
            const terms = readerAnswers(reader, indices, rows, {
              weights,
              k: options.k,
              counts: counts.get(k)!,
              share,
            });
            add(terms.loss, terms.values, sums.answer);
          }
          if (weights.alignment > 0) {
            const target = {
              texts: indices.map((i) => reader.texts![i]!),
              privateLen: wire.layout.privateLen,
              shared: pick(shared, texts.context!),
              share: share / indices.length,
            };
            const vectors = prefixRows(prefix.vectors, texts.context!);
            const { loss, value } = alignmentLoss(reader.reader.model, vectors, target, weights.alignment);
            add(loss, value, sums.alignment);
          }
          if (weights.reconstruction > 0) {
            const rows = readingRows(reader, indices, texts, prefix, continues);
            read += realTokens(rows.composed);
            const tokensOfStep = counts.get(k)!.reading;
            const { loss, value } = answerLoss(
              reader.reader.model,
              rows.composed,
              rows.prefix,
              tokensOfStep,
              weights.reconstruction,
            );
            add(loss, value, sums.reading);
          }
        }
        t.backward(losses.reduce((a, b) => t.add(a, b)));
        return read;
      });
    }
    const params = wire.parameters();
    const norm = t.optim.clipGradNorm(params, options.maxGradNorm === 0 ? Infinity : options.maxGradNorm);
    optimizer.adamw.step();
    t.zeroGrad(params);
    const targetTokens = [...counts.values()].reduce(
      (sum, c) =>
        sum +
        ((hasAnswers(weights) ? c.targets : 0) + (weights.reconstruction > 0 ? c.reading : 0)) /
          active.length,
      0,
    );
    return { ...readSums(sums, norm, weights), examples: all.length, targetTokens, tokens };
  });
}

interface Sums {
  /** In the order of `answerTermNames`. */
  readonly answer: t.Tensor;
  readonly reading: t.Tensor;
  readonly alignment: t.Tensor;
}

/** One copy from the device for all numbers of a step. */
function readSums(
  sums: Sums,
  norm: t.Tensor,
  weights: StageWeights,
): Pick<StepResult, 'loss' | 'terms' | 'gradNorm'> {
  const scalars = t.stack([sums.reading, sums.alignment, norm.to({ dtype: 'float32' })]);
  const values = t.cat([sums.answer, scalars]).toArray();
  const [answer, firstToken, kToken, kd, manifold, reading, alignment, gradNorm] = values as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const answers = hasAnswers(weights);
  const terms: StepTerms = {
    answer_loss: answers ? answer : null,
    first_token_loss: answers ? firstToken : null,
    k_token_loss: answers ? kToken : null,
    kd_loss: weights.kd > 0 ? kd : null,
    manifold_loss: weights.manifold > 0 ? manifold : null,
    alignment_loss: weights.alignment > 0 ? alignment : null,
    reconstruction_loss: weights.reconstruction > 0 ? reading : null,
  };
  const loss =
    weights.answer * answer +
    weights.firstToken * firstToken +
    weights.kToken * kToken +
    weights.kd * kd +
    weights.manifold * manifold +
    weights.alignment * alignment +
    weights.reconstruction * reading;
  return { loss, terms, gradNorm };
}

function hasAnswers(weights: StageWeights): boolean {
  return weights.answer > 0 || weights.firstToken > 0 || weights.kToken > 0 || weights.kd > 0;
}

/** Each count is multiplied by the readers that are averaged. */
function countTargets(
  reader: PreparedReader,
  examples: readonly number[],
  continues: (example: number) => boolean,
  k: number,
  readers: number,
): ReaderCounts {
  const total = (of: (example: number) => number): number =>
    readers * examples.reduce((sum, example) => sum + of(example), 0);
  return {
    targets: total((i) => reader.targets[i]!.length),
    examples: total(() => 1),
    kTokens: total((i) => earlyTokens(reader.targets[i]!.length, k)),
    kdPositions: total((i) => reader.teacher?.count(i) ?? 0),
    reading: total((i) => readingTarget(reader, i, continues)?.ids.length ?? 0),
  };
}

/** Prefix of all texts of a micro-batch for one reader, and how many vectors of each row are real. */
interface Prefix {
  /** [texts, P + max S, D] */
  readonly vectors: t.Tensor;
  readonly seen: Int32Array;
}

interface Rows {
  readonly composed: ComposedBatch;
  readonly prefix: t.Tensor;
}

function readerAnswers(
  { reader, teacher, statistics }: PreparedReader,
  indices: readonly number[],
  { composed, prefix }: Rows,
  options: { weights: StageWeights; k: number; counts: AnswerCounts; share: number },
): AnswerTerms {
  return answerTerms(reader.model, composed, prefix, {
    ...options,
    teacher: options.weights.kd > 0 ? (teacher?.batch(indices, composed.targetRows) ?? null) : null,
    statistics,
  });
}

/** [head | latents | question, anchor | answer, stop] of each example, padded on the right. */
function answerRows(
  reader: PreparedReader,
  indices: readonly number[],
  texts: MicroBatchTexts,
  prefix: Prefix,
): Rows {
  const rows = indices.map((i) => row(reader, reader.tails[i]!, reader.targets[i]!));
  return composeRows(rows, texts.context!, prefix);
}

/** [head | latents | instruction | context, stop], or [head | latents | next part of the context]. */
function readingRows(
  reader: PreparedReader,
  indices: readonly number[],
  texts: MicroBatchTexts,
  prefix: Prefix,
  continues: (example: number) => boolean,
): Rows {
  const rows = indices.map((i) => {
    const { tail, ids } = readingTarget(reader, i, continues)!;
    return row(reader, tail, ids);
  });
  return composeRows(rows, texts.reading!, prefix);
}

function row(reader: PreparedReader, tail: Int32Array, target: Int32Array): Segment[] {
  return [
    { kind: 'tokens', ids: reader.head },
    { kind: 'latents' },
    { kind: 'tokens', ids: tail },
    { kind: 'target', ids: target },
  ];
}

/** @param places row of the prefix for each row */
function composeRows(rows: readonly (readonly Segment[])[], places: Int32Array, prefix: Prefix): Rows {
  return {
    composed: compose(rows, 'right', pick(prefix.seen, places)),
    prefix: prefixRows(prefix.vectors, places),
  };
}

/** Rows of the prefix; itself when they are all of them, in order. */
function prefixRows(vectors: t.Tensor, places: Int32Array): t.Tensor {
  if (places.length === vectors.size(0) && places.every((place, i) => place === i)) return vectors;
  const index = t.fromTypedArray(places, [places.length], { device: vectors.device }).to({ dtype: 'int64' });
  return t.indexSelect(vectors, 0, index);
}

function pick(counts: ArrayLike<number>, places: Int32Array): Int32Array {
  return places.map((place) => counts[place]!);
}

function realTokens(composed: ComposedBatch): number {
  return composed.valid === null ? composed.ids.length : composed.valid.reduce((a, b) => a + b, 0);
}
