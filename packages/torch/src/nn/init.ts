/** Parameters and their starting values, drawn on the CPU so that every device starts from the same bytes. */

import { noGrad } from '../autograd.js';
import type { Device } from '../device.js';
import type { DType } from '../dtype.js';
import { full, rand, randn } from '../ops/create.js';
import { add_, mul_ } from '../ops/pointwise.js';
import type { Generator } from '../random/generator.js';
import { keep, scope } from '../scope.js';
import type { Tensor } from '../tensor.js';

/** Where and how a module makes its parameters. */
export interface ParameterOptions {
  /** CPU generator of the initial values; the default generator when absent. */
  readonly generator?: Generator;
  readonly device?: Device | string;
  readonly dtype?: DType;
}

const source = (o: ParameterOptions): { generator?: Generator } =>
  o.generator === undefined ? {} : { generator: o.generator };

/** Makes a trainable leaf from CPU values. It lives until disposed, whatever scope is open. */
export function parameter(make: () => Tensor, o: ParameterOptions = {}): Tensor {
  const value = scope(() =>
    noGrad(() => make().to({ dtype: o.dtype ?? 'float32', device: o.device ?? 'cpu', copy: true })),
  );
  return keep(value).setRequiresGrad();
}

/** Uniform in [-bound, bound). */
export const uniformParameter = (shape: readonly number[], bound: number, o: ParameterOptions = {}): Tensor =>
  parameter(() => add_(mul_(rand(shape, source(o)), 2 * bound), -bound), o);

/** Normal with mean 0 and the given standard deviation. */
export const normalParameter = (shape: readonly number[], std: number, o: ParameterOptions = {}): Tensor =>
  parameter(() => mul_(randn(shape, source(o)), std), o);

export const constantParameter = (
  shape: readonly number[],
  value: number,
  o: ParameterOptions = {},
): Tensor => parameter(() => full(shape, value), o);
