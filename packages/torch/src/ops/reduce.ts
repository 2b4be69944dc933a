/** Reductions, scans and order statistics. `dim` absent = over all elements. */
import { op, run, runMany } from '../dispatch.js';
import { type DType, optionalDtypeCode } from '../dtype.js';
import type { Tensor } from '../tensor.js';

/** One or several dimensions. */
export type Dims = number | readonly number[];

const SUM = op('aten::sum.dim_IntList');
const SUM_ALL = op('aten::sum');
const MEAN = op('aten::mean.dim');
const MEAN_ALL = op('aten::mean');
const PROD_ALL = op('aten::prod');
const VAR = op('aten::var.correction');
const STD = op('aten::std.correction');
const MAX_ALL = op('aten::max');
const MIN_ALL = op('aten::min');
const AMAX = op('aten::amax');
const AMIN = op('aten::amin');
const ARGMAX = op('aten::argmax');
const ARGMIN = op('aten::argmin');
const ALL = op('aten::all');
const ANY = op('aten::any');
const ALL_DIM = op('aten::all.dim');
const ANY_DIM = op('aten::any.dim');
const LOGSUMEXP = op('aten::logsumexp');
const NORM = op('aten::linalg_vector_norm');
const CUMSUM = op('aten::cumsum');
const CUMPROD = op('aten::cumprod');
const TOPK = op('aten::topk');
const SORT = op('aten::sort.stable');
const ARGSORT = op('aten::argsort.stable');

export const sum = (x: Tensor, dim?: Dims, keepdim = false, dtype?: DType): Tensor =>
  dim === undefined
    ? run(SUM_ALL, x.handle, optionalDtypeCode(dtype))
    : run(SUM, x.handle, dim, keepdim, optionalDtypeCode(dtype));
export const mean = (x: Tensor, dim?: Dims, keepdim = false, dtype?: DType): Tensor =>
  dim === undefined
    ? run(MEAN_ALL, x.handle, optionalDtypeCode(dtype))
    : run(MEAN, x.handle, dim, keepdim, optionalDtypeCode(dtype));
export const prod = (x: Tensor): Tensor => run(PROD_ALL, x.handle);
/** Variance with divisor n - correction (1 = sample variance). */
export const variance = (x: Tensor, dim?: Dims, correction = 1, keepdim = false): Tensor =>
  run(VAR, x.handle, dim ?? null, correction, keepdim);
/** Standard deviation with divisor n - correction. */
export const std = (x: Tensor, dim?: Dims, correction = 1, keepdim = false): Tensor =>
  run(STD, x.handle, dim ?? null, correction, keepdim);
export const max = (x: Tensor): Tensor => run(MAX_ALL, x.handle);
export const min = (x: Tensor): Tensor => run(MIN_ALL, x.handle);
/** Maximum over dims (gradient shared between ties). */
export const amax = (x: Tensor, dim: Dims, keepdim = false): Tensor => run(AMAX, x.handle, dim, keepdim);
export const amin = (x: Tensor, dim: Dims, keepdim = false): Tensor => run(AMIN, x.handle, dim, keepdim);
export const argmax = (x: Tensor, dim?: number, keepdim = false): Tensor =>
  run(ARGMAX, x.handle, dim ?? null, keepdim);
export const argmin = (x: Tensor, dim?: number, keepdim = false): Tensor =>
  run(ARGMIN, x.handle, dim ?? null, keepdim);
export const all = (x: Tensor, dim?: number, keepdim = false): Tensor =>
  dim === undefined ? run(ALL, x.handle) : run(ALL_DIM, x.handle, dim, keepdim);
export const any = (x: Tensor, dim?: number, keepdim = false): Tensor =>
  dim === undefined ? run(ANY, x.handle) : run(ANY_DIM, x.handle, dim, keepdim);
export const logsumexp = (x: Tensor, dim: Dims, keepdim = false): Tensor =>
  run(LOGSUMEXP, x.handle, dim, keepdim);
/** Vector norm of order `ord` over dims. */
export const vectorNorm = (x: Tensor, ord = 2, dim?: Dims, keepdim = false, dtype?: DType): Tensor =>
  run(NORM, x.handle, ord, dim ?? null, keepdim, optionalDtypeCode(dtype));
export const cumsum = (x: Tensor, dim: number): Tensor => run(CUMSUM, x.handle, dim);
export const cumprod = (x: Tensor, dim: number): Tensor => run(CUMPROD, x.handle, dim);

/** The k largest values (or smallest) along dim, sorted. */
export function topk(x: Tensor, k: number, dim = -1, largest = true): { values: Tensor; indices: Tensor } {
  const [values, indices] = runMany(TOPK, x.handle, k, dim, largest, true);
  return { values: values!, indices: indices! };
}

/** Stable sort along dim. */
export function sort(x: Tensor, dim = -1, descending = false): { values: Tensor; indices: Tensor } {
  const [values, indices] = runMany(SORT, x.handle, true, dim, descending);
  return { values: values!, indices: indices! };
}

export const argsort = (x: Tensor, dim = -1, descending = false): Tensor =>
  run(ARGSORT, x.handle, true, dim, descending);
