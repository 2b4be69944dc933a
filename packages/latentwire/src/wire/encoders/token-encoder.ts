/** What every encoder begins with: token ids of a batch of texts -> one state per token. */
import * as t from '@latentwire/torch';
import { roundUp } from '../compose.js';

/** Token ids of a batch of texts, padded on the right. */
export interface EncoderBatch {
  readonly batch: number;
  readonly length: number;
  /** [B·T] */
  readonly ids: Int32Array;
  /** [B] real tokens per row, each ≥ 1 */
  readonly lengths: Int32Array;
}

/** Pads token ids of texts on the right, to a multiple of `multiple`. */
export function encoderBatch(texts: readonly ArrayLike<number>[], multiple = 1): EncoderBatch {
  const length = roundUp(Math.max(1, ...texts.map((ids) => ids.length)), multiple);
  const ids = new Int32Array(texts.length * length);
  texts.forEach((text, row) => {
    ids.set(text, row * length);
  });
  return {
    batch: texts.length,
    length,
    ids,
    // An empty text still has one (padding) token to pool, so that its latents are defined.
    lengths: Int32Array.from(texts, (text) => Math.max(1, text.length)),
  };
}

/** bool [B, T], true = real token; null when nothing is padded. */
export function realTokens(batch: EncoderBatch, device: t.Device): t.Tensor | null {
  if (batch.lengths.every((n) => n === batch.length)) return null;
  return t.scope(() => {
    const lengths = t.fromTypedArray(batch.lengths, [batch.batch, 1], { device });
    return t.lt(t.arange(0, batch.length, 1, { device }), lengths);
  });
}

export abstract class TokenEncoder extends t.nn.Module {
  /** W, numbers per state. */
  abstract readonly width: number;
  abstract readonly device: t.Device;

  /**
   * States [B, T, W], in any float dtype. A real token's state depends on its own text only, never on padding or on
   * other rows; states of padding are meaningless.
   * @param real `realTokens(batch)`
   */
  abstract states(batch: EncoderBatch, real: t.Tensor | null): t.Tensor;

  /** Floating-point operations of the states of texts of these lengths, with the gradients that training takes of them. */
  abstract flop(lengths: ArrayLike<number>): number;
}
