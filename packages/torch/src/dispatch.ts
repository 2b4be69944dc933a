/** Calling operators: a resolved id, native values in, tensors out. Internal to src/ops, src/nn and src/optim. */
import { type Handle, type NativeValue, native, type OperatorId } from './native.js';
import { Tensor } from './tensor.js';

/** Resolves "aten::name.overload" once. An operator this torch lacks fails when called, not here. */
export const op = (name: string): OperatorId => native.resolve(name);

const { call, callInPlace } = native;

/** Calls an operator with one tensor result. */
export function run(id: OperatorId, ...args: NativeValue[]): Tensor {
  return new Tensor(call(id, ...args) as Handle);
}

/** Calls an operator with several tensor results or a tensor list. */
export function runMany(id: OperatorId, ...args: NativeValue[]): Tensor[] {
  return (call(id, ...args) as Handle[]).map((handle) => new Tensor(handle));
}

/** Calls an in-place operator and returns the tensor it changed. */
export function runInPlace(id: OperatorId, self: Tensor, ...args: NativeValue[]): Tensor {
  callInPlace(id, self.handle, ...args);
  return self;
}

/** Handles of a tensor list. */
export const handles = (tensors: readonly Tensor[]): Handle[] => tensors.map((t) => t.handle);
