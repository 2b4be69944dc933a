/**
 * What a micro-batch asks of the device's memory, in numbers that need no composing: positions of encoder and readers, and
 * logits, with the padding that they will have. Thousands of micro-batches are looked at in a fraction of a second.
 */
import { type LatentLayout, roundUp, roundUpCoarsely, type ShapeMultiples } from '../../wire/index.js';
import { readingTarget } from '../messages.js';
import { hasAnswers, type StepShape } from '../micro-batch.js';
import type { ComposableData, ComposableReader } from '../prepare.js';

/** Each in a unit of its own: they are compared between micro-batches, not with each other. */
export interface StepLoad {
  /** Positions of the texts that are encoded: their number times the longest. */
  readonly encoded: number;
  /** Positions of the readers' rows, each times the numbers that all layers of the reader keep of one. */
  readonly read: number;
  /** Supervised places whose logits are kept for the gradient, times the vocabulary. */
  readonly logits: number;
}

/** What is the same for all micro-batches of a kind of step. */
export interface LoadShape {
  readonly stage: StepShape['stage'];
  readonly readers: readonly number[];
  /** Whether all texts that can be continued are, or all are repeated. */
  readonly continues: boolean;
  readonly readOnce: boolean;
  /** Most tokens of a text that are supervised; null: all. */
  readonly readingTokens: number | null;
  /** Which logits are kept for the gradient: those of answers, those of whole texts. */
  readonly keepsLogits: { readonly answers: boolean; readonly reading: boolean };
  readonly multiples: ShapeMultiples;
}

export type LoadedReader = ComposableReader & {
  readonly reader: { readonly model: { readonly config: ReaderSize } };
};

interface ReaderSize {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly vocabSize: number;
}

/** The part of a text that makes the longest row: all of it before, and as much supervised as may be. */
export function longestWindow(length: number, readingTokens: number | null): readonly [number, number] {
  return [Math.max(0, length - (readingTokens ?? length)), length];
}

/** The texts of a dataset by number, whole ones and first parts. */
interface Texts {
  readonly lengths: readonly number[];
  /** Per example. */
  readonly whole: Int32Array;
  /** Per example: the one that is sent so that it can be repeated or continued. */
  readonly read: Int32Array;
}

interface ReaderRows {
  readonly answers: Int32Array;
  readonly targets: Int32Array;
  readonly reading: Int32Array;
  readonly readingTargets: Int32Array;
  readonly size: ReaderSize;
}

/** @returns the load of a micro-batch of these examples */
export function stepLoad(
  data: Pick<ComposableData, 'contexts' | 'firstParts'> & { readonly readers: readonly LoadedReader[] },
  layout: LatentLayout,
  shape: LoadShape,
): (indices: readonly number[]) => StepLoad {
  const { weights, expansion } = shape.stage;
  const { readOnce, multiples, keepsLogits } = shape;
  const reads = weights.reconstruction > 0;
  const answers = hasAnswers(weights);
  const whole = answers || weights.alignment > 0;
  const texts = numbered(data, shape.continues);
  const seen = layout.seen(
    layout.shared(
      texts.lengths.map((n) => Math.max(1, n)),
      expansion,
    ),
  );
  const rows = shape.readers.map((k) => rowsOf(data.readers[k]!, texts, seen, shape));
  // Of each text, the last micro-batch that sent it, and that had it read.
  const sent = new Float64Array(texts.lengths.length);
  const taken = new Float64Array(texts.lengths.length);
  let call = 0;
  return (indices) => {
    call++;
    let [count, longest] = [0, 1];
    const send = (text: number): void => {
      if (sent[text] === call) return;
      sent[text] = call;
      count++;
      longest = Math.max(longest, texts.lengths[text]!);
    };
    if (whole) for (const i of indices) send(texts.whole[i]!);
    const readings = !reads
      ? []
      : indices.filter((i) => {
          const text = texts.read[i]!;
          send(text);
          if (readOnce && taken[text] === call) return false;
          taken[text] = call;
          return true;
        });
    let [read, logits] = [0, 0];
    for (const { size, ...of } of rows) {
      const positions = (lengths: Int32Array, all: readonly number[], count: number): number => {
        const most = all.reduce((n, i) => Math.max(n, lengths[i]!), 0);
        return count * roundUpCoarsely(most, multiples.positions, 4) * size.layers * size.hiddenSize;
      };
      const supervised = (targets: Int32Array, all: readonly number[]): number => {
        const sum = all.reduce((n, i) => n + targets[i]!, 0);
        return roundUpCoarsely(sum, multiples.targets) * size.vocabSize;
      };
      if (answers) {
        read += positions(of.answers, indices, indices.length);
        if (keepsLogits.answers) logits += supervised(of.targets, indices);
      }
      if (reads) {
        const count = readOnce ? roundUp(readings.length, multiples.rows) : readings.length;
        read += positions(of.reading, readings, count);
        if (keepsLogits.reading) logits += supervised(of.readingTargets, readings);
      }
    }
    return { encoded: roundUp(count, multiples.rows) * roundUp(longest, multiples.texts), read, logits };
  };
}

function numbered(
  { contexts, firstParts }: Pick<ComposableData, 'contexts' | 'firstParts'>,
  continues: boolean,
): Texts {
  const numbers = new Map<Int32Array, number>();
  const lengths: number[] = [];
  const number = (ids: Int32Array): number => {
    const known = numbers.get(ids);
    if (known !== undefined) return known;
    numbers.set(ids, lengths.length);
    return lengths.push(ids.length) - 1;
  };
  const whole = Int32Array.from(contexts, number);
  if (!continues) return { lengths, whole, read: whole };
  const read = whole.map((text, i) => {
    const first = firstParts?.[i] ?? null;
    return first === null ? text : number(first);
  });
  return { lengths, whole, read };
}

/** Lengths of the rows that a reader may get, per example. */
function rowsOf(
  reader: LoadedReader,
  texts: Texts,
  seen: Int32Array,
  { stage, continues, readingTokens }: LoadShape,
): ReaderRows {
  const { weights } = stage;
  const examples = texts.whole.length;
  // The last target of a row takes no position.
  const length = (before: number, targets: number): number =>
    reader.head.length + before + Math.max(0, targets - 1);
  const empty = { answers: new Int32Array(), targets: new Int32Array() };
  const none = { reading: new Int32Array(), readingTargets: new Int32Array() };
  const targets = Int32Array.from(reader.targets, (ids) => ids.length);
  const answers = texts.whole.map((text, i) =>
    length(seen[text]! + (reader.tails[i]?.length ?? 0), targets[i] ?? 0),
  );
  const ofAnswers = hasAnswers(weights) ? { answers, targets } : empty;
  const size = reader.reader.model.config;
  if (weights.reconstruction === 0) return { ...ofAnswers, ...none, size };
  const [reading, readingTargets] = [new Int32Array(examples), new Int32Array(examples)];
  const choice = {
    continues: () => continues,
    readingWindow: (_: number, n: number) => longestWindow(n, readingTokens),
  };
  for (let i = 0; i < examples; i++) {
    const { tail, given, ids } = readingTarget(reader, i, choice)!;
    reading[i] = length(seen[texts.read[i]!]! + tail.length + given.length, ids.length);
    readingTargets[i] = ids.length;
  }
  return { ...ofAnswers, reading, readingTargets, size };
}
