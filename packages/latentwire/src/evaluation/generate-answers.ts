/**
 * Free generation of answers: the one path for latents and for every text baseline. Nothing derived from gold answers
 * enters: the length limit is a setting, the stop ids belong to the model.
 */
import * as t from '@latentwire/torch';
import { generate } from '../models/decoder/index.js';
import { batchEmbeddings, compose, type Reader, type Segment } from '../wire/index.js';

export interface GenerationRequest {
  /** One row of segments per question; rows may hold a `latents` segment. */
  readonly rows: readonly (readonly Segment[])[];
  /** M, when rows hold latents. */
  readonly latents: number;
  /** Soft prefix [n, M, d_model] of the rows with these indices; absent for text. */
  readonly prefix?: (rowIndices: readonly number[]) => t.Tensor;
  readonly batchSize: number;
  readonly maxNewTokens: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Answers in the order of the rows. */
export async function generateAnswers(reader: Reader, request: GenerationRequest): Promise<string[]> {
  const { rows, latents, batchSize } = request;
  const lengths = rows.map((row) =>
    row.reduce((n, s) => n + (s.kind === 'latents' ? latents : s.ids.length), 0),
  );
  // Rows of like length together: less padding, and the longest batch (the most memory) comes first.
  const order = rows.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const answers = new Array<string>(rows.length);
  for (let start = 0; start < order.length; start += batchSize) {
    const indices = order.slice(start, start + batchSize);
    const tokens = t.scope(() =>
      t.noGrad(() => {
        const composed = compose(
          indices.map((i) => rows[i]!),
          'left',
          latents,
        );
        const { embeds, valid } = batchEmbeddings(
          composed,
          (ids) => reader.model.embed(ids),
          request.prefix?.(indices) ?? null,
          reader.model.device,
        );
        return generate(reader.model, embeds, {
          valid,
          maxNewTokens: request.maxNewTokens,
          stopIds: reader.format.stopIds,
        });
      }),
    );
    for (const [k, ids] of tokens.entries()) {
      answers[indices[k]!] = cleanAnswer(await reader.tokenizer.decode(ids));
    }
    request.onProgress?.(Math.min(start + batchSize, rows.length), rows.length);
  }
  return answers;
}

/** The first non-empty line, trimmed: a model that goes on talking after its answer is not scored on the talk. */
export function cleanAnswer(text: string): string {
  return (
    text
      .split('\n')
      .map((line) => line.trim())
      .find((line) => line !== '') ?? ''
  );
}
