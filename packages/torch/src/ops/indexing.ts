/** Gather, scatter and lookups by integer or boolean tensors. */
import { op, run, runInPlace } from '../dispatch.js';
import type { Tensor } from '../tensor.js';

const GATHER = op('aten::gather');
const SCATTER = op('aten::scatter.src');
const SCATTER_ADD = op('aten::scatter_add');
const INDEX_SELECT = op('aten::index_select');
const INDEX_ADD = op('aten::index_add');
const INDEX = op('aten::index.Tensor');
const INDEX_PUT = op('aten::index_put');
const INDEX_PUT_ = op('aten::index_put_');
const MASKED_SELECT = op('aten::masked_select');
const MASKED_SCATTER = op('aten::masked_scatter');
const NONZERO = op('aten::nonzero');
const ONE_HOT = op('aten::one_hot');
const SEARCHSORTED = op('aten::searchsorted.Tensor');
const BINCOUNT = op('aten::bincount');
const ISIN = op('aten::isin.Tensor_Tensor');

export const gather = (x: Tensor, dim: number, index: Tensor): Tensor =>
  run(GATHER, x.handle, dim, index.handle);
export const scatter = (x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor =>
  run(SCATTER, x.handle, dim, index.handle, source.handle);
export const scatterAdd = (x: Tensor, dim: number, index: Tensor, source: Tensor): Tensor =>
  run(SCATTER_ADD, x.handle, dim, index.handle, source.handle);
export const indexSelect = (x: Tensor, dim: number, index: Tensor): Tensor =>
  run(INDEX_SELECT, x.handle, dim, index.handle);
export const indexAdd = (x: Tensor, dim: number, index: Tensor, source: Tensor, alpha = 1): Tensor =>
  run(INDEX_ADD, x.handle, dim, index.handle, source.handle, alpha);

const optional = (indices: readonly (Tensor | null)[]): (number | null)[] =>
  indices.map((index) => (index === null ? null : index.handle));

/** Advanced indexing x[i0, i1, …]; null takes the whole dimension. */
export const index = (x: Tensor, indices: readonly (Tensor | null)[]): Tensor =>
  run(INDEX, x.handle, optional(indices));
/** A copy of x with x[i0, i1, …] = values (or += with accumulate). */
export const indexPut = (
  x: Tensor,
  indices: readonly (Tensor | null)[],
  values: Tensor,
  accumulate = false,
): Tensor => run(INDEX_PUT, x.handle, optional(indices), values.handle, accumulate);
/** In place x[i0, i1, …] = values. */
export const indexPut_ = (
  x: Tensor,
  indices: readonly (Tensor | null)[],
  values: Tensor,
  accumulate = false,
): Tensor => runInPlace(INDEX_PUT_, x, optional(indices), values.handle, accumulate);
/** Elements where mask is true, as a vector. Waits for the device (the size is data). */
export const maskedSelect = (x: Tensor, mask: Tensor): Tensor => run(MASKED_SELECT, x.handle, mask.handle);
export const maskedScatter = (x: Tensor, mask: Tensor, source: Tensor): Tensor =>
  run(MASKED_SCATTER, x.handle, mask.handle, source.handle);
/** Indices of non-zero elements, [n, dims]. Waits for the device. */
export const nonzero = (x: Tensor): Tensor => run(NONZERO, x.handle);
export const oneHot = (x: Tensor, classes: number): Tensor => run(ONE_HOT, x.handle, classes);
/** Insertion points of values into a sorted sequence. */
export const searchsorted = (sorted: Tensor, values: Tensor, right = false): Tensor =>
  run(SEARCHSORTED, sorted.handle, values.handle, false, right);
export const bincount = (x: Tensor, minlength = 0): Tensor => run(BINCOUNT, x.handle, null, minlength);
export const isin = (x: Tensor, values: Tensor): Tensor => run(ISIN, x.handle, values.handle);
