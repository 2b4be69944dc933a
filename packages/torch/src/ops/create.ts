/** Tensors from nothing or from JavaScript data. Default dtype float32, default device cpu. */
import { type Device, parseDevice, pinnedUploads } from '../device.js';
import { op, run } from '../dispatch.js';
import { type DType, dtypeCode, optionalDtypeCode } from '../dtype.js';
import { TorchError } from '../error.js';
import { packIntegers } from '../list.js';
import { native } from '../native.js';
import type { Generator } from '../random/generator.js';
import { type Nested, Tensor } from '../tensor.js';

export interface TensorOptions {
  readonly dtype?: DType;
  readonly device?: Device | string;
}

const deviceOf = (options: TensorOptions): string =>
  options.device === undefined ? 'cpu' : parseDevice(options.device);
const codeOf = (options: TensorOptions, fallback: DType = 'float32'): number =>
  dtypeCode(options.dtype ?? fallback);

const EMPTY = op('aten::empty.memory_format');
const ZEROS = op('aten::zeros');
const ONES = op('aten::ones');
const FULL = op('aten::full');
const ARANGE = op('aten::arange.start_step');
const LINSPACE = op('aten::linspace');
const EYE = op('aten::eye');
const RANDN = op('aten::randn.generator');
const RAND = op('aten::rand.generator');
const RANDINT = op('aten::randint.low_generator');
const RANDPERM = op('aten::randperm.generator');
const ZEROS_LIKE = op('aten::zeros_like');
const ONES_LIKE = op('aten::ones_like');
const EMPTY_LIKE = op('aten::empty_like');
const FULL_LIKE = op('aten::full_like');

/** Uninitialised memory of the given shape. */
export const empty = (shape: readonly number[], o: TensorOptions = {}): Tensor =>
  run(EMPTY, packIntegers(shape), codeOf(o), undefined, deviceOf(o));
export const zeros = (shape: readonly number[], o: TensorOptions = {}): Tensor =>
  run(ZEROS, packIntegers(shape), codeOf(o), undefined, deviceOf(o));
export const ones = (shape: readonly number[], o: TensorOptions = {}): Tensor =>
  run(ONES, packIntegers(shape), codeOf(o), undefined, deviceOf(o));
export const full = (shape: readonly number[], value: number, o: TensorOptions = {}): Tensor =>
  run(FULL, packIntegers(shape), value, codeOf(o), undefined, deviceOf(o));
/** [start, end) in steps; dtype int64 unless asked otherwise. */
export const arange = (start: number, end: number, step = 1, o: TensorOptions = {}): Tensor =>
  run(ARANGE, start, end, step, codeOf(o, 'int64'), undefined, deviceOf(o));
export const linspace = (start: number, end: number, steps: number, o: TensorOptions = {}): Tensor =>
  run(LINSPACE, start, end, steps, codeOf(o), undefined, deviceOf(o));
export const eye = (n: number, o: TensorOptions = {}): Tensor =>
  run(EYE, n, codeOf(o), undefined, deviceOf(o));

/** Standard normal values; from the device's default generator unless one is given. */
export const randn = (shape: readonly number[], o: TensorOptions & { generator?: Generator } = {}): Tensor =>
  run(RANDN, packIntegers(shape), o.generator?.id, codeOf(o), undefined, deviceOf(o));
/** Uniform values in [0, 1). */
export const rand = (shape: readonly number[], o: TensorOptions & { generator?: Generator } = {}): Tensor =>
  run(RAND, packIntegers(shape), o.generator?.id, codeOf(o), undefined, deviceOf(o));
/** Integers in [low, high), int64 unless asked otherwise. */
export const randint = (
  low: number,
  high: number,
  shape: readonly number[],
  o: TensorOptions & { generator?: Generator } = {},
): Tensor =>
  run(RANDINT, low, high, packIntegers(shape), o.generator?.id, codeOf(o, 'int64'), undefined, deviceOf(o));
export const randperm = (n: number, o: TensorOptions & { generator?: Generator } = {}): Tensor =>
  run(RANDPERM, n, o.generator?.id, codeOf(o, 'int64'), undefined, deviceOf(o));

export const zerosLike = (x: Tensor, dtype?: DType): Tensor =>
  run(ZEROS_LIKE, x.handle, optionalDtypeCode(dtype));
export const onesLike = (x: Tensor, dtype?: DType): Tensor =>
  run(ONES_LIKE, x.handle, optionalDtypeCode(dtype));
export const emptyLike = (x: Tensor, dtype?: DType): Tensor =>
  run(EMPTY_LIKE, x.handle, optionalDtypeCode(dtype));
export const fullLike = (x: Tensor, value: number, dtype?: DType): Tensor =>
  run(FULL_LIKE, x.handle, value, optionalDtypeCode(dtype));

type NumericArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | BigInt64Array;

function dtypeOfArray(data: NumericArray): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Int16Array) return 'int16';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Uint8Array) return 'uint8';
  return 'int64';
}

/** A tensor over a copy of a typed array; converted when another dtype is asked. */
export function fromTypedArray(data: NumericArray, shape: readonly number[], o: TensorOptions = {}): Tensor {
  const source = dtypeOfArray(data);
  const target = { dtype: o.dtype ?? source, device: deviceOf(o) };
  const host = new Tensor(
    native.fromBytes(data, shape, dtypeCode(source), pinnedUploads() && target.device !== 'cpu'),
  );
  if (target.dtype === source && target.device === 'cpu') return host;
  // A copy that does not wait: the driver has taken the bytes of pageable memory before it returns, and pinned memory is
  // not used again before the copy is done.
  const converted = host.to({ ...target, nonBlocking: target.device !== 'cpu' });
  host.dispose();
  return converted;
}

/** A tensor over raw little-endian bytes (a copy), row-major. */
export const fromBytes = (bytes: Uint8Array, shape: readonly number[], dtype: DType): Tensor =>
  new Tensor(native.fromBytes(bytes, shape, dtypeCode(dtype), false));

/** A tensor from numbers or nested arrays: `tensor([[1, 2], [3, 4]])`. Booleans give bool, numbers float32. */
export function tensor(data: Nested, o: TensorOptions = {}): Tensor {
  const shape: number[] = [];
  for (let level: Nested = data; Array.isArray(level); level = level[0] as Nested) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const flat: (number | boolean)[] = [];
  const fill = (level: Nested, dim: number): void => {
    if (!Array.isArray(level)) {
      if (dim !== shape.length) throw new TorchError('tensor(): the nested arrays have different depths');
      flat.push(level as number | boolean);
      return;
    }
    if (level.length !== shape[dim]) {
      throw new TorchError(`tensor(): expected ${shape[dim]} items in dimension ${dim}, got ${level.length}`);
    }
    for (const item of level) fill(item, dim + 1);
  };
  fill(data, 0);
  const dtype = o.dtype ?? (typeof flat[0] === 'boolean' ? 'bool' : 'float32');
  if (dtype === 'int64')
    return fromTypedArray(
      BigInt64Array.from(flat, (v) => BigInt(v)),
      shape,
      { ...o, dtype },
    );
  return fromTypedArray(Float64Array.from(flat, Number), shape, { ...o, dtype });
}
