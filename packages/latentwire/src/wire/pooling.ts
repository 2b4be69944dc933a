/**
 * Mean pooling of token states over M windows of each text, whatever its length. Mean-pooled states of a pretrained
 * LM beat learned memory tokens at every ratio (ARC-Encoder, arXiv 2510.20535; BenchPress, arXiv 2510.20797).
 */
import * as t from '@latentwire/torch';

/**
 * Window m of a text of n tokens covers tokens ⌊m·n/M⌋ … ⌈(m+1)·n/M⌉ − 1, as adaptive average pooling does: every
 * token is used, windows differ by at most one token in size, and texts shorter than M repeat tokens.
 * @param states [B, T, D]
 * @param lengths real tokens per row, each ≥ 1; padding is on the right
 * @returns [B, M, D]
 */
export function poolWindows(states: t.Tensor, lengths: ArrayLike<number>, windows: number): t.Tensor {
  const [batch, length] = [states.size(0), states.size(1)];
  const weights = new Float32Array(batch * windows * length);
  for (let b = 0; b < batch; b++) {
    const n = lengths[b]!;
    for (let m = 0; m < windows; m++) {
      const start = Math.floor((m * n) / windows);
      const end = Math.ceil(((m + 1) * n) / windows);
      weights.fill(1 / (end - start), (b * windows + m) * length + start, (b * windows + m) * length + end);
    }
  }
  const pool = t.fromTypedArray(weights, [batch, windows, length], {
    dtype: states.dtype,
    device: states.device,
  });
  return t.bmm(pool, states);
}
