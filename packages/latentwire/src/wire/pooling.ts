/**
 * Mean pooling of token states over M windows of each text, whatever its length. Mean-pooled states of a pretrained
 * LM beat learned memory tokens at every ratio (ARC-Encoder, arXiv 2510.20535; BenchPress, arXiv 2510.20797).
 */
import * as t from '@latentwire/torch';
import { countOf, type LatentCounts, largestCount } from './layout.js';

/**
 * Window m of a text of n tokens covers tokens ⌊m·n/M⌋ … ⌈(m+1)·n/M⌉ − 1, as adaptive average pooling does: every
 * token is used, windows differ by at most one token in size, and texts shorter than M repeat tokens.
 * @param states [B, T, D]
 * @param lengths real tokens per row, each ≥ 1; padding is on the right
 * @param windows M, for all rows or per row
 * @returns [B, max M, D]; zeros after a row's last window
 */
export function poolWindows(states: t.Tensor, lengths: ArrayLike<number>, windows: LatentCounts): t.Tensor {
  const [batch, length] = [states.size(0), states.size(1)];
  const most = largestCount(windows);
  const weights = new Float32Array(batch * most * length);
  for (let b = 0; b < batch; b++) {
    const n = lengths[b]!;
    const count = countOf(windows, b);
    for (let m = 0; m < count; m++) {
      const start = Math.floor((m * n) / count);
      const end = Math.ceil(((m + 1) * n) / count);
      const row = (b * most + m) * length;
      weights.fill(1 / (end - start), row + start, row + end);
    }
  }
  const pool = t.fromTypedArray(weights, [batch, most, length], {
    dtype: states.dtype,
    device: states.device,
  });
  return t.bmm(pool, states);
}
