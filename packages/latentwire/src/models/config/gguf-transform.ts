/**
 * Undoes, on float32 values, what llama.cpp's converter did to a tensor (see `GgufTransform`).
 *
 * The converter stores the rows of each query and key head as pairs (0, d/2), (1, d/2 + 1), … because ggml
 * rotates neighbours; Hugging Face weights, and this decoder, rotate row j with row j + d/2.
 */
import type { ModelConfig } from './model-config.js';
import type { GgufTransform } from './weights.js';

/**
 * Transforms `data` (row-major, whole heads for the permutations) in place, with one head of scratch memory.
 */
export function undoGgufTransform(transform: GgufTransform, data: Float32Array, config: HeadShape): void {
  switch (transform) {
    case 'none':
      return;
    case 'minus-one':
      for (let i = 0; i < data.length; i++) data[i]! -= 1;
      return;
    case 'unpermute-q':
      unpermute(data, config.heads, config.headDim);
      return;
    case 'unpermute-k':
      unpermute(data, config.kvHeads, config.headDim);
      return;
  }
}

type HeadShape = Pick<ModelConfig, 'heads' | 'kvHeads' | 'headDim'>;

/** Per head: stored row 2i + s becomes row i + s * headDim / 2. A bias is a matrix of one column. */
function unpermute(data: Float32Array, heads: number, headDim: number): void {
  const columns = data.length / (heads * headDim);
  const stored = new Float32Array(headDim * columns);
  for (let head = 0; head < heads; head++) {
    const rows = data.subarray(head * stored.length, (head + 1) * stored.length);
    stored.set(rows);
    for (let row = 0; row < headDim; row++) {
      const target = (row >> 1) + (row & 1) * (headDim / 2);
      rows.set(stored.subarray(row * columns, (row + 1) * columns), target * columns);
    }
  }
}
