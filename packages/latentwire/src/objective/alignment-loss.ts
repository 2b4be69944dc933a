/**
 * Warm-up of encoder and adapter without the reader's layers: each soft-prefix vector is pulled to the mean of the
 * reader's own token embeddings over the same stretch of text. It costs no decoder pass and puts the prefix where the
 * reader can tell words apart; from random prefixes the reconstruction loss does not leave the level of no context
 * (docs/LOG.md).
 */
import * as t from '@latentwire/torch';
import type { LanguageModel } from '../models/decoder/index.js';
import type { LatentCounts } from '../wire/index.js';
import { pooledEmbeddings } from './pooled-embeddings.js';

export interface AlignmentTarget {
  /** The texts in the reader's tokens. */
  readonly texts: readonly Int32Array[];
  /** P, private vectors at the start of each row: they are windows over the whole text, and so are the shared ones. */
  readonly privateLen: number;
  /** S per row: the shared vectors that follow. */
  readonly shared: ArrayLike<number>;
  /** What each row weighs in the mean over the step. */
  readonly share: number;
  /** Of the padded length of the texts. Default 1. */
  readonly multiple?: number;
}

/**
 * Mean squared difference of directions (both sides brought to unit RMS) of each row, times `share`, summed over rows: a
 * scalar; 2 for unrelated vectors when shares add up to 1.
 * @param prefix [B, P + max S, D]
 * @param weight multiplies the loss, not the value
 */
export function alignmentLoss(
  model: LanguageModel,
  prefix: t.Tensor,
  target: AlignmentTarget,
  weight = 1,
): { loss: t.Tensor; value: t.Tensor } {
  const { texts, privateLen, shared, share, multiple } = target;
  const [rows, slots] = [prefix.size(0), prefix.size(1)];
  return t.scope(() => {
    const wanted = t.noGrad(() => {
      const pooled = (windows: LatentCounts): t.Tensor => pooledEmbeddings(model, texts, windows, multiple);
      const common = pooled(shared);
      const all = privateLen === 0 ? common : t.cat([pooled(privateLen), common], 1);
      return t.rmsNorm(all);
    });
    const difference = t.sub(t.rmsNorm(prefix.to({ dtype: 'float32' })), wanted);
    const perVector = t.reshape(t.mean(t.square(difference), [-1]), [-1]); // [B · slots]
    const shares = new Float32Array(2 * rows * slots);
    for (let row = 0; row < rows; row++) {
      const real = privateLen + shared[row]!;
      shares.fill((weight * share) / real, row * slots, row * slots + real);
      shares.fill(share / real, (rows + row) * slots, (rows + row) * slots + real);
    }
    const sums = t.matmul(t.fromTypedArray(shares, [2, rows * slots], { device: prefix.device }), perVector);
    return { loss: t.select(sums, 0, 0), value: t.noGrad(() => t.select(sums, 0, 1)) };
  });
}
