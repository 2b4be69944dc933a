/**
 * Which texts a micro-batch sends, and what its readers make of them beside answering: repeat the text, or continue it
 * from the latents of its first part.
 */

import type { StepShape } from './micro-batch.js';
import type { ComposableData, ComposableReader } from './prepare.js';
import type { StageWeights } from './stages.js';

export interface MicroBatchTexts {
  /** Encoder tokens of every text that is sent. */
  readonly tokens: readonly Int32Array[];
  /** Per example: place of its whole context among them; null when no term needs contexts. */
  readonly context: Int32Array | null;
  /** Per example: place of the text that is repeated or continued; null when there is no such term. */
  readonly reading: Int32Array | null;
}

export interface ReadingTarget {
  /** Between latents and text. */
  readonly tail: Int32Array;
  /** The text before the part that is supervised: given, not asked for. */
  readonly given: Int32Array;
  readonly ids: Int32Array;
}

const NO_TAIL = new Int32Array();

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

/** @param continues the same function as `readingTarget` is given */
export function microBatchTexts(
  data: ComposableData,
  indices: readonly number[],
  weights: StageWeights,
  continues: (example: number) => boolean,
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
  const reading =
    weights.reconstruction > 0
      ? Int32Array.from(indices, (i, row) => {
          const first = continues(i) ? (data.firstParts?.[i] ?? null) : null;
          return first !== null ? send(first) : (context?.[row] ?? send(data.contexts[i]!));
        })
      : null;
  return { tokens, context, reading };
}
