/**
 * The host half of a micro-batch: everything that is made of token ids and counts, and none of the computing. Its `key`
 * tells which operators on which shapes the other half (micro-batch-loss.ts) will run.
 */
import { type AnswerCounts, earlyTokens, type TeacherBatch } from '../objective/index.js';
import {
  type ComposedBatch,
  compose,
  type EncoderBatch,
  encoderBatch,
  type LatentLayout,
  roundUp,
  type Segment,
  type ShapeMultiples,
} from '../wire/index.js';
import { type MicroBatchTexts, microBatchTexts, readingTarget } from './messages.js';
import type { ComposableData, ComposableReader } from './prepare.js';
import type { Stage, StageWeights } from './stages.js';

/** What the means of a step divide by: counts over all its micro-batches, per reader. */
export interface ReaderCounts extends AnswerCounts {
  readonly reading: number;
}

/** What is the same for all micro-batches of a step. */
export interface StepShape {
  readonly stage: Pick<Stage, 'expansion' | 'weights'> & Partial<Pick<Stage, 'rounded'>>;
  readonly k: number;
  /** Readers of this step. */
  readonly active: readonly number[];
  readonly continues: (example: number) => boolean;
  /** Whether a text of several examples of a micro-batch is repeated or continued once. Default: for each. */
  readonly readOnce?: boolean;
  /** Supervised part [start, end) of a text of `length` tokens that is repeated or continued. */
  readonly readingWindow: (example: number, length: number) => readonly [start: number, end: number];
  /** Per active reader. */
  readonly counts: ReadonlyMap<number, ReaderCounts>;
  /** Examples of the step. */
  readonly examples: number;
  readonly multiples: ShapeMultiples;
}

export interface ReaderBatch {
  readonly reader: number;
  readonly counts: ReaderCounts;
  readonly answers: { readonly composed: ComposedBatch; readonly teacher: TeacherBatch | null } | null;
  readonly reading: ComposedBatch | null;
  /** The texts in the reader's tokens; null without the alignment term. */
  readonly texts: readonly Int32Array[] | null;
}

export interface MicroBatch {
  readonly step: StepShape;
  readonly texts: EncoderBatch;
  /** S per text. */
  readonly shared: Int32Array;
  /** Place of each example's whole text; null when no term needs it. */
  readonly context: Int32Array | null;
  /** Places of the texts to repeat or continue; null when there is no such term. */
  readonly reading: Int32Array | null;
  readonly examples: number;
  readonly readers: readonly ReaderBatch[];
  /** Tokens through encoder and readers, padding not counted. */
  readonly tokens: number;
  readonly key: string;
}

const NOTHING = new Int32Array();

export function hasAnswers(weights: StageWeights): boolean {
  return weights.answer > 0 || weights.firstToken > 0 || weights.kToken > 0 || weights.kd > 0;
}

/**
 * Each count is multiplied by the readers that are averaged.
 * @param examples of the step
 * @param read those whose texts are repeated or continued
 */
export function countTargets(
  reader: ComposableReader,
  examples: readonly number[],
  read: readonly number[],
  step: Pick<StepShape, 'continues' | 'readingWindow' | 'k'> & { readonly readers: number },
): ReaderCounts {
  const total = (of: (example: number) => number, all = examples): number =>
    step.readers * all.reduce((sum, example) => sum + of(example), 0);
  return {
    targets: total((i) => reader.targets[i]!.length),
    examples: total(() => 1),
    kTokens: total((i) => earlyTokens(reader.targets[i]!.length, step.k)),
    kdPositions: total((i) => reader.teacher?.count(i) ?? 0),
    reading: total((i) => readingTarget(reader, i, step)?.ids.length ?? 0, read),
  };
}

/** @param indices examples of the micro-batch */
export function composeMicroBatch(
  data: ComposableData,
  layout: LatentLayout,
  indices: readonly number[],
  step: StepShape,
): MicroBatch {
  const { weights, expansion } = step.stage;
  const sent = microBatchTexts(data, indices, weights, step, step.multiples.rows);
  const texts = encoderBatch(sent.tokens, step.multiples.texts);
  const shared = layout.shared(texts.lengths, expansion);
  const seen = layout.seen(shared);
  const readers = step.active.map((k) => readerBatch(data.readers[k]!, k, indices, { step, sent, seen }));
  return {
    step,
    texts,
    shared,
    context: sent.context,
    reading: sent.reading?.places ?? null,
    examples: indices.length,
    readers,
    tokens:
      sent.tokens.reduce((n, ids) => n + ids.length, 0) +
      readers.reduce((n, r) => n + realTokens(r.answers?.composed) + realTokens(r.reading), 0),
    key: keyOf(step, texts, shared, sent, readers),
  };
}

function readerBatch(
  reader: ComposableReader,
  k: number,
  indices: readonly number[],
  { step, sent, seen }: { step: StepShape; sent: MicroBatchTexts; seen: Int32Array },
): ReaderBatch {
  const { stage, multiples } = step;
  const { weights } = stage;
  const composed = (rows: Segment[][], places: Int32Array): ComposedBatch =>
    compose(rows, 'right', pick(seen, places), multiples);
  let answers: ReaderBatch['answers'] = null;
  if (hasAnswers(weights)) {
    const rows = indices.map((i) => row(reader, reader.tails[i]!, reader.targets[i]!));
    const batch = composed(rows, sent.context!);
    const teacher =
      weights.kd > 0 ? (reader.teacher?.batch(indices, batch.targetRows, multiples.targets) ?? null) : null;
    answers = { composed: batch, teacher };
  }
  let reading: ComposedBatch | null = null;
  if (weights.reconstruction > 0) {
    const { examples, places } = sent.reading!;
    const rows = Array.from(places, (_, at) => {
      const example = examples[at];
      if (example === undefined) return row(reader, NOTHING, NOTHING);
      const { tail, given, ids } = readingTarget(reader, example, step)!;
      return row(reader, tail, ids, given);
    });
    reading = composed(rows, places);
  }
  const texts = weights.alignment > 0 ? indices.map((i) => reader.texts![i]!) : null;
  return { reader: k, counts: step.counts.get(k)!, answers, reading, texts };
}

/** [head | latents | tail | given | target, stop] */
function row(
  reader: ComposableReader,
  tail: Int32Array,
  target: Int32Array,
  given: Int32Array = NOTHING,
): Segment[] {
  return [
    { kind: 'tokens', ids: reader.head },
    { kind: 'latents' },
    { kind: 'tokens', ids: tail },
    { kind: 'tokens', ids: given },
    { kind: 'target', ids: target },
  ];
}

function keyOf(
  { stage, active, multiples }: StepShape,
  texts: EncoderBatch,
  shared: Int32Array,
  sent: MicroBatchTexts,
  readers: readonly ReaderBatch[],
): string {
  const on = Object.entries(stage.weights).flatMap(([name, weight]) => (weight > 0 ? [name] : []));
  const identity = (places: Int32Array | null): boolean | null =>
    places === null ? null : places.length === texts.batch && places.every((place, i) => place === i);
  const spread = (counts: ArrayLike<number>): string => {
    const [least, most] = extremes(counts);
    return least === most ? `${most}` : `≤${most}`;
  };
  const shape = (batch: ComposedBatch | null): unknown =>
    batch && [
      batch.batch,
      batch.length,
      batch.valid === null,
      spread(batch.latentCounts),
      batch.latentPlaces.length,
      batch.targetIds.length,
    ];
  return JSON.stringify([
    on,
    stage.rounded ?? true,
    active,
    [texts.batch, texts.length, texts.lengths.every((n) => n === texts.length), spread(shared)],
    [identity(sent.context), identity(sent.reading?.places ?? null)],
    readers.map((r) => [
      shape(r.answers?.composed ?? null),
      r.answers?.teacher?.targets.length ?? null,
      shape(r.reading),
      r.texts && roundUp(extremes(r.texts.map(({ length }) => length))[1], multiples.texts),
    ]),
  ]);
}

export function pick(counts: ArrayLike<number>, places: Int32Array): Int32Array {
  return places.map((place) => counts[place]!);
}

function extremes(values: ArrayLike<number>): [least: number, most: number] {
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (let i = 0; i < values.length; i++) {
    least = Math.min(least, values[i]!);
    most = Math.max(most, values[i]!);
  }
  return [least, most];
}

function realTokens(composed: ComposedBatch | null | undefined): number {
  if (composed == null) return 0;
  return composed.valid === null ? composed.ids.length : composed.valid.reduce((a, b) => a + b, 0);
}
