/**
 * Free generation of answers: the one path for latents and for every text baseline. Nothing derived from gold answers
 * enters: the length limit is a setting, the stop ids belong to the model.
 */
import * as t from '@latentwire/torch';
import { generate } from '../models/decoder/index.js';
import { batchEmbeddings, compose, type LatentCounts, type Reader, type Segment } from '../wire/index.js';

export interface GenerationRequest {
  /** One row of segments per question; rows may hold a `latents` segment. */
  readonly rows: readonly (readonly Segment[])[];
  /** Vectors of a `latents` segment, for all rows or per row. */
  readonly latents: LatentCounts;
  /** Soft prefix [n, most latents, d_model] of the rows; null for text. */
  readonly prefix: t.Tensor | null;
  readonly maxNewTokens: number;
  /** Default: those of the model. None: generate `maxNewTokens` in any case. */
  readonly stopIds?: readonly number[];
}

/** Token ids of the answers to one batch, in the order of the rows. */
export function generateTokens(reader: Reader, request: GenerationRequest): number[][] {
  return t.scope(() =>
    t.noGrad(() => {
      const composed = compose(request.rows, 'left', request.latents);
      const { embeds, valid } = batchEmbeddings(
        composed,
        (ids) => reader.model.embed(ids),
        request.prefix,
        reader.model.device,
      );
      return generate(reader.model, embeds, {
        valid,
        maxNewTokens: request.maxNewTokens,
        stopIds: request.stopIds ?? reader.format.stopIds,
      });
    }),
  );
}

/**
 * The answer in a generated text. One line is taken unless the task asks for more: a model that goes on talking after
 * its answer is not scored on the talk.
 */
export function cleanAnswer(text: string, multiline = false): string {
  if (multiline) return text.trim();
  return (
    text
      .split('\n')
      .map((line) => line.trim())
      .find((line) => line !== '') ?? ''
  );
}
