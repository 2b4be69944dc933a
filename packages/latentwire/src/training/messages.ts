/**
 * Which texts a micro-batch sends, and what its readers make of them beside answering: repeat the text, or continue it
 * from the latents of its first part.
 */

import type { StepShape } from './micro-batch.js';
import type { ComposableData, ComposableReader } from './prepare.js';
import type { StageWeights } from './stages.js';

export interface MicroBatchTexts {
  /** Encoder tokens of every text that is sent; padding has none. */
  readonly tokens: readonly Int32Array[];
  /** Per example: place of its whole context among them; null when no term needs contexts. */
  readonly context: Int32Array | null;
  /** What is repeated or continued; null when there is no such term. */
  readonly reading: ReadTexts | null;
}

export interface ReadTexts {
  /** Examples whose text is repeated or continued: all, or one for each text. */
  readonly examples: readonly number[];
  /** Place of each one's text among those that are sent, then those of padding. */
  readonly places: Int32Array;
}

export interface ReadingTarget {
  /** Between latents and text. */
  readonly tail: Int32Array;
  /** The text before the part that is supervised: given, not asked for. */
  readonly given: Int32Array;
  readonly ids: Int32Array;
}

const NO_TAIL = new Int32Array();
const NO_TEXT = new Int32Array();

/** What a reader is to say of an example; null when reconstruction was not prepared. */
export function readingTarget(
  reader: ComposableReader,
  example: number,
  { continues, readingWindow }: Pick<StepShape, 'continues' | 'readingWindow'>,
): ReadingTarget | null {
  const { repeat, continuation } = reader;
  if (repeat === null) return null;
  const next = continues(example) ? (continuation?.[example] ?? null) : null;
  // The next part follows the latents as it follows the first part in the text: nothing stands between.
  const tail = next === null ? repeat.tail : NO_TAIL;
  const ids = next ?? repeat.targets[example]!;
  const [start, end] = readingWindow(example, ids.length);
  return { tail, given: ids.subarray(0, start), ids: ids.subarray(start, end) };
}

/** What decides which texts are read how. */
export type ReadingChoice = Pick<StepShape, 'continues'> & Partial<Pick<StepShape, 'readOnce'>>;

/**
 * @param choice the same as `readingTarget` and `readExamples` are given
 * @param multiple of the number of texts, where questions share them
 */
export function microBatchTexts(
  data: ComposableData,
  indices: readonly number[],
  weights: StageWeights,
  choice: ReadingChoice,
  multiple = 1,
): MicroBatchTexts {
  const answers = weights.answer > 0 || weights.firstToken > 0 || weights.kToken > 0 || weights.kd > 0;
  const tokens: Int32Array[] = [];
  const places = new Map<Int32Array, number>();
  // Questions on one text share its tokens: it is encoded once for all of them.
  const send = (ids: Int32Array): number => {
    const place = places.get(ids) ?? tokens.push(ids) - 1;
    places.set(ids, place);
    return place;
  };
  const context =
    answers || weights.alignment > 0 ? Int32Array.from(indices, (i) => send(data.contexts[i]!)) : null;
  let reading: ReadTexts | null = null;
  if (weights.reconstruction > 0) {
    const examples = readExamples(data, indices, choice);
    reading = { examples, places: Int32Array.from(examples, (i) => send(readText(data, i, choice))) };
  }
  while (tokens.length % multiple !== 0) tokens.push(NO_TEXT);
  if (reading !== null && choice.readOnce === true) {
    const places = [...reading.places];
    // A row without targets may show any text; in place, the rows are the texts in order.
    while (places.length % multiple !== 0) places.push(places.length < tokens.length ? places.length : 0);
    reading = { ...reading, places: Int32Array.from(places) };
  }
  return { tokens, context, reading };
}

/** The examples of a micro-batch whose texts are repeated or continued: with `readOnce` the first one of each text. */
export function readExamples(
  data: Pick<ComposableData, 'contexts' | 'firstParts'>,
  indices: readonly number[],
  choice: ReadingChoice,
): readonly number[] {
  if (choice.readOnce !== true) return indices;
  const seen = new Set<Int32Array>();
  return indices.filter((i) => {
    const text = readText(data, i, choice);
    return !seen.has(text) && seen.add(text);
  });
}

/** The text that is sent for an example so that it can be repeated or continued. */
function readText(
  { contexts, firstParts }: Pick<ComposableData, 'contexts' | 'firstParts'>,
  example: number,
  { continues }: ReadingChoice,
): Int32Array {
  return (continues(example) ? firstParts?.[example] : null) ?? contexts[example]!;
}
