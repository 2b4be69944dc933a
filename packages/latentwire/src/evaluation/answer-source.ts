/**
 * One way of answering, for one model: what the evaluator needs to put questions. Latents, controls and baselines are all
 * of this form, so that one code path generates, scores and counts for all of them. Nothing here knows a gold answer.
 */
import type * as t from '@latentwire/torch';
import type { AnswerMode } from '../telemetry/index.js';
import {
  countOf,
  encoderBatch,
  type LatentCounts,
  type LatentWire,
  latentRow,
  type Reader,
  rowLength,
  type Segment,
} from '../wire/index.js';

export interface AnswerSource {
  readonly mode: AnswerMode;
  readonly reader: Reader;
  /** One row per question, ending where the answer begins. */
  readonly rows: readonly (readonly Segment[])[];
  /** Vectors that a `latents` segment of a row stands for, for all rows or per row; 0 when rows hold text only. */
  readonly latents: LatentCounts;
  /** Soft prefix [n, most latents, d_model] of the rows with these indices; null when rows hold text only. */
  readonly prefix: ((rowIndices: readonly number[]) => t.Tensor) | null;
  /** Per row: positions that stand for the context in the model's input. */
  readonly contextPositions: readonly number[];
  /** Per row: bytes to send; null when the way of answering sends nothing that could be counted. */
  readonly messageBytes: readonly number[] | null;
}

/** What latents are made from: evaluation examples in tokens. */
export interface LatentInputs {
  readonly wire: LatentWire;
  readonly reader: Reader;
  /** Which of the wire's adapters is the reader's. */
  readonly readerIndex: number;
  /** Per example: text in the encoder's tokens. */
  readonly contexts: readonly Int32Array[];
  readonly head: Int32Array;
  /** Per example: tokens after the context. */
  readonly tails: readonly Int32Array[];
  /** Bytes of a message of so many vectors. */
  readonly messageBytes: (vectors: number) => number;
  /** Times as many latents as the wire has. Default 1. */
  readonly expansion?: number;
}

/**
 * Latents in the context's place.
 * @param partners for the shuffled control: whose context each example is answered from
 */
export function latentSource(
  mode: 'latent' | 'shuffled',
  inputs: LatentInputs,
  partners?: ArrayLike<number>,
): AnswerSource {
  const { wire, reader, readerIndex, head, tails } = inputs;
  const texts = inputs.contexts.map((own, i) =>
    partners === undefined ? own : inputs.contexts[partners[i]!]!,
  );
  // An empty text still has one (padding) token to pool, as in `encoderBatch`.
  const lengths = texts.map(({ length }) => Math.max(1, length));
  const shared = wire.layout.shared(lengths, inputs.expansion);
  const seen = wire.layout.seen(shared);
  return {
    mode,
    reader,
    rows: tails.map((tail) => latentRow(head, tail)),
    latents: seen,
    prefix: (indices) => {
      const counts = pick(shared, indices);
      const z = wire.encode(encoderBatch(indices.map((i) => texts[i]!)), counts);
      return wire.prefix(z, readerIndex, counts);
    },
    contextPositions: [...seen],
    messageBytes: Array.from(wire.layout.sent(shared), inputs.messageBytes),
  };
}

/** Latents of the rows with these indices. */
export function pick(counts: LatentCounts, indices: readonly number[]): LatentCounts {
  return typeof counts === 'number' ? counts : Int32Array.from(indices, (i) => counts[i]!);
}

/**
 * The batches of a source, fixed by the questions alone: rows of like length together, the longest (the most memory)
 * first.
 */
export function sourceBatches(source: AnswerSource, batchSize: number): number[][] {
  const lengths = source.rows.map((row, i) => rowLength(row, countOf(source.latents, i)));
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const batches: number[][] = [];
  for (let at = 0; at < order.length; at += batchSize) batches.push(order.slice(at, at + batchSize));
  return batches;
}
