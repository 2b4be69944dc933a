/**
 * Short lists of integers and of tensors, packed into memory that the addon reads: an element of a JavaScript array
 * costs about 30 ns through N-API, from here next to nothing. Internal to src/ops; the format is native/lists.h.
 */
import { type Handle, type NativeValue, native } from './native.js';
import type { Tensor } from './tensor.js';

const LONGEST = 64;
const BASE = 2 ** 33;
const buffer = new Float64Array(native.listBuffer());

/**
 * Used as a ring without bookkeeping: an operator reads its lists during its own call, and no call has enough lists to
 * come round to its first.
 */
let next = 0;

function reserve(length: number): number {
  const start = next + length <= buffer.length ? next : 0;
  next = start + length;
  return start;
}

const packed = (start: number, length: number): number => -(BASE + start * 65_536 + length) - 0.5;

/** A list of integers for a native call. Valid for the very next call only. */
export function packIntegers(values: readonly number[]): NativeValue {
  const { length } = values;
  if (length > LONGEST) return values;
  const start = reserve(length);
  for (let i = 0; i < length; i++) buffer[start + i] = values[i]!;
  return packed(start, length);
}

/** A list of tensors for a native call. Valid for the very next call only. */
export function packTensors(tensors: readonly Tensor[]): NativeValue {
  const { length } = tensors;
  if (length > LONGEST) return tensors.map((t): Handle => t.handle);
  const start = reserve(length);
  for (let i = 0; i < length; i++) buffer[start + i] = tensors[i]!.handle;
  return packed(start, length);
}
