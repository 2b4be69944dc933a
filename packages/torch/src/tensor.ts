/**
 * A handle to a libtorch tensor. Its lifetime is explicit: `scope` frees what was made inside it, `dispose` (or
 * `using`) frees one tensor, and the garbage collector frees nothing. Use after free throws a TorchError.
 * Operators are functions (src/ops), so that model code reads like its formula.
 */
import { type Device, parseDevice } from './device.js';
import { type DType, dtypeBytes, dtypeCode, dtypeOfCode } from './dtype.js';
import { TorchError } from './error.js';
import { type Handle, native } from './native.js';

/** Numbers of a tensor as nested arrays. */
export type Nested = number | boolean | readonly Nested[];

export class Tensor implements Disposable {
  readonly handle: Handle;
  #shape: readonly number[] | undefined = undefined;
  #dtype: DType | undefined = undefined;
  #device: Device | undefined = undefined;

  /** @internal Wraps a native handle; user code makes tensors with operators. */
  constructor(handle: Handle) {
    this.handle = handle;
  }

  /** Sizes of the dimensions. */
  get shape(): readonly number[] {
    this.#shape ??= native.shape(this.handle);
    return this.#shape;
  }

  /** Size of one dimension; negative counts from the end. */
  size(dim: number): number {
    const shape = this.shape;
    const n = shape[dim < 0 ? dim + shape.length : dim];
    if (n === undefined) throw new TorchError(`dimension ${dim} is outside a tensor of shape [${shape}]`);
    return n;
  }

  get dtype(): DType {
    this.#dtype ??= dtypeOfCode(native.dtype(this.handle));
    return this.#dtype;
  }

  get device(): Device {
    this.#device ??= native.device(this.handle) as Device;
    return this.#device;
  }

  /** Number of elements. */
  get numel(): number {
    return this.shape.reduce((a, b) => a * b, 1);
  }

  /** Number of bytes of the elements. */
  get nbytes(): number {
    return this.numel * dtypeBytes(this.dtype);
  }

  get isContiguous(): boolean {
    return native.isContiguous(this.handle);
  }

  get isFreed(): boolean {
    return !native.isAlive(this.handle);
  }

  get requiresGrad(): boolean {
    return native.requiresGrad(this.handle);
  }

  /** Marks a leaf as wanting a gradient; returns itself. */
  setRequiresGrad(requiresGrad = true): this {
    native.setRequiresGrad(this.handle, requiresGrad);
    return this;
  }

  /** The accumulated gradient as a new handle, or null. */
  get grad(): Tensor | null {
    const handle = native.gradient(this.handle);
    return handle === null ? null : new Tensor(handle);
  }

  set grad(gradient: Tensor | null) {
    native.setGradient(this.handle, gradient === null ? null : gradient.handle);
  }

  /** The value of a one-element tensor. Waits for the device. */
  item(): number {
    return Number(native.item(this.handle));
  }

  /** Copy of the elements in row-major order as numbers (int64 as numbers too: exact up to 2^53). */
  toArray(): number[] {
    return Array.from(this.#typed(), Number);
  }

  /**
   * `toArray` of float32 elements as they will be when the device has done what was issued to it up to now: calling the
   * result waits for that, and for nothing that was issued since. The tensor may be freed before, but not changed.
   */
  readLater(): () => number[] {
    if (this.dtype !== 'float32') throw new TorchError(`readLater: expected float32, got ${this.dtype}`);
    const ticket = native.readBegin(this.handle);
    return () => Array.from(new Float32Array(native.readEnd(ticket)));
  }

  /** Copy of the elements as float32, converted when needed. */
  toFloat32Array(): Float32Array {
    if (this.dtype === 'float32') return new Float32Array(native.toBytes(this.handle));
    using converted = this.to({ dtype: 'float32' });
    return new Float32Array(native.toBytes(converted.handle));
  }

  /** Copy of the raw little-endian bytes, row-major. */
  toBytes(): Uint8Array {
    return new Uint8Array(native.toBytes(this.handle));
  }

  /** Copy of the elements as nested arrays of the tensor's shape. */
  tolist(): Nested {
    const flat = this.toArray();
    const build = (dim: number, offset: number, stride: number): Nested => {
      if (dim === this.shape.length) return flat[offset]!;
      const n = this.shape[dim]!;
      const inner = n === 0 ? 0 : stride / n;
      return Array.from({ length: n }, (_, i) => build(dim + 1, offset + i * inner, inner));
    };
    return build(0, 0, flat.length);
  }

  /** The same values in another dtype or on another device; the same memory when nothing changes. */
  to(target: { dtype?: DType; device?: Device | string; nonBlocking?: boolean; copy?: boolean }): Tensor {
    return new Tensor(
      native.call(
        TO_COPY,
        this.handle,
        dtypeCode(target.dtype ?? this.dtype),
        undefined,
        target.device === undefined ? this.device : parseDevice(target.device),
        undefined,
        target.nonBlocking ?? false,
        target.copy ?? false,
      ) as Handle,
    );
  }

  /** A view without the autograd history. */
  detach(): Tensor {
    return new Tensor(native.call(DETACH, this.handle) as Handle);
  }

  /** Whether both tensors use the same memory (views, tied weights). */
  sharesStorageWith(other: Tensor): boolean {
    return native.sameStorage(this.handle, other.handle);
  }

  /** Frees this handle now. Freeing twice is harmless. */
  dispose(): void {
    native.release(this.handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    if (this.isFreed) return 'Tensor(freed)';
    const values = this.numel <= 16 ? JSON.stringify(this.tolist()) : '…';
    return `Tensor([${this.shape}], ${this.dtype}, ${this.device}, ${values})`;
  }

  #typed(): Float32Array | Float64Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array {
    switch (this.dtype) {
      case 'float64':
        return new Float64Array(native.toBytes(this.handle));
      case 'int64':
        return new BigInt64Array(native.toBytes(this.handle));
      case 'int32':
        return new Int32Array(native.toBytes(this.handle));
      case 'int16':
        return new Int16Array(native.toBytes(this.handle));
      case 'int8':
        return new Int8Array(native.toBytes(this.handle));
      case 'uint8':
      case 'bool':
        return new Uint8Array(native.toBytes(this.handle));
      default:
        return this.toFloat32Array();
    }
  }
}

// aten::to.dtype_layout is the overload with both dtype and device; it returns self when nothing changes.
const TO_COPY = native.resolve('aten::to.dtype_layout');
const DETACH = native.resolve('aten::detach');
