/**
 * Mean pooling of token states over M windows of each text, whatever its length. Mean-pooled states of a pretrained
 * LM beat learned memory tokens at every ratio (ARC-Encoder, arXiv 2510.20535; BenchPress, arXiv 2510.20797).
 */
import * as t from '@latentwire/torch';
import { countOf, type LatentCounts, largestCount, uniformCount } from './layout.js';

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
  return t.scope(() => {
    const pool = windowWeights(lengths, windows, batch, length, states.device);
    return t.bmm(pool.to({ dtype: states.dtype }), states);
  });
}

/**
 * [B, max M, T], fp32: 1 / size within a window, else 0. Made on the device from two numbers per row, since the whole
 * of it would take milliseconds to fill and copy.
 */
function windowWeights(
  lengths: ArrayLike<number>,
  windows: LatentCounts,
  batch: number,
  length: number,
  device: t.Device,
): t.Tensor {
  const column = (values: Int32Array): t.Tensor =>
    t.fromTypedArray(values, [batch, 1, 1], { device }).to({ dtype: 'int64' });
  const n = column(Int32Array.from({ length: batch }, (_, row) => lengths[row]!));
  const count = column(Int32Array.from({ length: batch }, (_, row) => countOf(windows, row)));
  const m = t.view(t.arange(0, largestCount(windows), 1, { device }), [1, -1, 1]);
  const start = t.floorDivide(t.mul(m, n), count);
  const end = t.floorDivide(t.add(t.mul(t.add(m, 1), n), t.sub(count, 1)), count); // rounded up
  const token = t.view(t.arange(0, length, 1, { device }), [1, 1, length]);
  const inside = t.logicalAnd(t.ge(token, start), t.lt(token, end));
  const real = uniformCount(windows) !== null ? inside : t.logicalAnd(inside, t.lt(m, count));
  return t.div(real.to({ dtype: 'float32' }), t.sub(end, start).to({ dtype: 'float32' }));
}
