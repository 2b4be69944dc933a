/**
 * Learned vectors per slot (queries, positions) for any number of slots. A table of Q rows is read by linear
 * interpolation, as resampled position embeddings of vision transformers are (Dosovitskiy et al. 2021, §3.2), so
 * that a text with fewer or more latents than Q still has one vector for each. With Q slots it is the table itself.
 */
import * as t from '@latentwire/torch';
import { countOf, type LatentCounts, largestCount, uniformCount } from './layout.js';

/**
 * @param table [Q, D]
 * @param rows B
 * @returns [1, M, D] when all rows have M slots, else [B, max M, D] with zeros after a row's last slot
 */
export function slotVectors(table: t.Tensor, counts: LatentCounts, rows: number): t.Tensor {
  const size = table.size(0);
  const uniform = uniformCount(counts);
  if (uniform === size) return t.unsqueeze(table, 0);
  const batch = uniform === null ? rows : 1;
  const slots = largestCount(counts);
  const weights = new Float32Array(batch * slots * size);
  for (let b = 0; b < batch; b++) {
    const count = uniform ?? countOf(counts, b);
    for (let m = 0; m < count; m++) {
      // Centres of slots: m + ½ of `count` falls on x + ½ of `size`.
      const x = Math.min(size - 1, Math.max(0, ((m + 0.5) * size) / count - 0.5));
      const left = Math.floor(x);
      const at = (b * slots + m) * size + left;
      weights[at] = 1 - (x - left);
      if (x > left) weights[at + 1] = x - left;
    }
  }
  const mix = t.fromTypedArray(weights, [batch * slots, size], { dtype: table.dtype, device: table.device });
  return t.view(t.matmul(mix, table), [batch, slots, table.size(1)]);
}
