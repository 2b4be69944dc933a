/** Views, joins and rearrangements. Views share memory with their source. */
import { op, run, runMany } from '../dispatch.js';
import { packIntegers, packTensors } from '../list.js';
import type { Tensor } from '../tensor.js';

const VIEW = op('aten::view');
const RESHAPE = op('aten::reshape');
const FLATTEN = op('aten::flatten.using_ints');
const TRANSPOSE = op('aten::transpose.int');
const PERMUTE = op('aten::permute');
const SQUEEZE = op('aten::squeeze.dim');
const UNSQUEEZE = op('aten::unsqueeze');
const EXPAND = op('aten::expand');
const CONTIGUOUS = op('aten::contiguous');
const CLONE = op('aten::clone');
const SELECT = op('aten::select.int');
const SLICE = op('aten::slice.Tensor');
const NARROW = op('aten::narrow');
const CAT = op('aten::cat');
const STACK = op('aten::stack');
const SPLIT = op('aten::split.Tensor');
const SPLIT_SIZES = op('aten::split_with_sizes');
const CHUNK = op('aten::chunk');
const UNBIND = op('aten::unbind.int');
const FLIP = op('aten::flip');
const ROLL = op('aten::roll');
const REPEAT = op('aten::repeat');
const REPEAT_INTERLEAVE = op('aten::repeat_interleave.self_int');
const TRIL = op('aten::tril');
const TRIU = op('aten::triu');
const PAD = op('aten::constant_pad_nd');

/** Same memory, other shape; one size may be -1. Fails when the strides do not allow it. */
export const view = (x: Tensor, shape: readonly number[]): Tensor => run(VIEW, x.handle, packIntegers(shape));
/** As view, with a copy when the strides do not allow a view. */
export const reshape = (x: Tensor, shape: readonly number[]): Tensor =>
  run(RESHAPE, x.handle, packIntegers(shape));
export const flatten = (x: Tensor, start = 0, end = -1): Tensor => run(FLATTEN, x.handle, start, end);
export const transpose = (x: Tensor, a: number, b: number): Tensor => run(TRANSPOSE, x.handle, a, b);
export const permute = (x: Tensor, dims: readonly number[]): Tensor =>
  run(PERMUTE, x.handle, packIntegers(dims));
export const squeeze = (x: Tensor, dim: number): Tensor => run(SQUEEZE, x.handle, dim);
export const unsqueeze = (x: Tensor, dim: number): Tensor => run(UNSQUEEZE, x.handle, dim);
/** Repeats dimensions of size 1 without memory; -1 keeps a size. */
export const expand = (x: Tensor, shape: readonly number[]): Tensor =>
  run(EXPAND, x.handle, packIntegers(shape));
export const contiguous = (x: Tensor): Tensor => run(CONTIGUOUS, x.handle);
export const clone = (x: Tensor): Tensor => run(CLONE, x.handle);
/** x[..., index, ...] along dim, which disappears. */
export const select = (x: Tensor, dim: number, index: number): Tensor => run(SELECT, x.handle, dim, index);
/** x[..., start:end:step, ...] along dim; negative counts from the end. */
export const slice = (x: Tensor, dim: number, start: number, end?: number, step = 1): Tensor =>
  run(SLICE, x.handle, dim, start, end ?? null, step);
export const narrow = (x: Tensor, dim: number, start: number, length: number): Tensor =>
  run(NARROW, x.handle, dim, start, length);
export const cat = (tensors: readonly Tensor[], dim = 0): Tensor => run(CAT, packTensors(tensors), dim);
export const stack = (tensors: readonly Tensor[], dim = 0): Tensor => run(STACK, packTensors(tensors), dim);
/** Pieces of one size (the last may be shorter) or of the listed sizes. */
export const split = (x: Tensor, size: number | readonly number[], dim = 0): Tensor[] =>
  typeof size === 'number'
    ? runMany(SPLIT, x.handle, size, dim)
    : runMany(SPLIT_SIZES, x.handle, packIntegers(size), dim);
export const chunk = (x: Tensor, chunks: number, dim = 0): Tensor[] => runMany(CHUNK, x.handle, chunks, dim);
export const unbind = (x: Tensor, dim = 0): Tensor[] => runMany(UNBIND, x.handle, dim);
export const flip = (x: Tensor, dims: readonly number[]): Tensor => run(FLIP, x.handle, packIntegers(dims));
export const roll = (x: Tensor, shifts: number, dim: number): Tensor => run(ROLL, x.handle, shifts, dim);
/** Tiles: the shape times `repeats`. */
export const repeat = (x: Tensor, repeats: readonly number[]): Tensor =>
  run(REPEAT, x.handle, packIntegers(repeats));
/** Repeats each element along dim. */
export const repeatInterleave = (x: Tensor, repeats: number, dim: number): Tensor =>
  run(REPEAT_INTERLEAVE, x.handle, repeats, dim);
export const tril = (x: Tensor, diagonal = 0): Tensor => run(TRIL, x.handle, diagonal);
export const triu = (x: Tensor, diagonal = 0): Tensor => run(TRIU, x.handle, diagonal);
/** Pads the last dimensions: [left, right] of the last, then of the one before, … */
export const pad = (x: Tensor, amounts: readonly number[], value = 0): Tensor =>
  run(PAD, x.handle, packIntegers(amounts), value);
