/**
 * Every operator of src/ops against PyTorch: values and gradients in float32 and bfloat16, on the CPU and, where
 * there is one, on a CUDA device. The expected numbers and how they were made: golden/make_operators.py.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { grad } from '../src/autograd.js';
import { cudaIsAvailable, type Device } from '../src/device.js';
import { type DType, isFloat } from '../src/dtype.js';
import * as ops from '../src/ops/index.js';
import { liveTensors, scope } from '../src/scope.js';
import { Tensor } from '../src/tensor.js';

interface Input {
  readonly dtype: 'float' | 'int64' | 'bool';
  readonly shape: readonly number[];
  readonly grad: boolean;
  /** Divides the values. */
  readonly scale: number;
  readonly values: readonly (number | boolean | string)[];
}

interface Case {
  readonly op: string;
  readonly label: string;
  readonly inputs: readonly Input[];
  /** As in TypeScript; {$: i} stands for input i, {$: 'undefined'} for undefined. */
  readonly args: readonly unknown[];
  readonly outputs: readonly {
    dtype: DType;
    shape: readonly number[];
    values: readonly (number | boolean | string)[];
  }[];
  readonly gradients: readonly (readonly (number | string)[])[] | null;
  readonly bfloat16: boolean;
}

const golden: { readonly cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL('./golden/operators.json', import.meta.url), 'utf8'),
);

/** Operators without golden numbers, and the file whose tests they have instead. */
const TESTED_ELSEWHERE = new Map([
  ...['empty', 'emptyLike', 'rand', 'randn', 'randint', 'randperm'].map(
    (name) => [name, 'creation.test.ts'] as const,
  ),
  ...['fromTypedArray', 'fromBytes', 'tensor'].map((name) => [name, 'creation.test.ts'] as const),
  // Compared with `to`, tensor by tensor.
  ['castAll', '../src/ops/cast.test.ts'] as const,
]);

/**
 * Allowed distance from the float64 truth, relative to the value and to the largest value of its tensor. float32:
 * a few roundings (ε = 2^-24) of the largest term of a sum. bfloat16: four roundings (ε = 2^-9), since kernels round
 * between steps; PyTorch's own CPU kernels need 3.5 of them on these cases.
 */
const TOLERANCE = {
  float32: { value: 1e-5, largest: 1e-6 },
  bfloat16: { value: 2 ** -7, largest: 2 ** -7 },
} as const;

const devices: readonly Device[] = cudaIsAvailable() ? ['cpu', 'cuda'] : ['cpu'];

describe('the golden cases', () => {
  it('cover every operator that the package exports', () => {
    const covered = new Set([...golden.cases.map(({ op }) => op), ...TESTED_ELSEWHERE.keys()]);
    const exported = Object.keys(ops);
    expect(
      exported.filter((name) => !covered.has(name)),
      'add cases to golden/make_operators.py',
    ).toEqual([]);
    expect([...covered].filter((name) => !exported.includes(name))).toEqual([]);
  });
});

describe.each(devices)('on %s', (device) => {
  // Creation operators take no tensor; where they create is tested in creation.test.ts.
  const cases = golden.cases.filter(({ inputs }) => device === 'cpu' || inputs.length > 0);

  it.each(cases)('$op $label equals PyTorch in float32', (test) => check(test, 'float32', device));
  it.each(cases.filter((test) => test.bfloat16))('$op $label equals PyTorch in bfloat16', (test) =>
    check(test, 'bfloat16', device),
  );
});

function check(test: Case, floating: 'float32' | 'bfloat16', device: Device): void {
  const before = liveTensors();
  scope(() => {
    const inputs = test.inputs.map((input) => load(input, floating, device));
    const operator = (ops as unknown as Record<string, (...args: unknown[]) => unknown>)[test.op]!;
    const result = operator(...test.args.map((arg) => decode(arg, inputs)));
    // In-place operators return the tensor they changed.
    if (test.op.endsWith('_')) expect(result).toBe(inputs[0]);
    const outputs = tensorsOf(result);
    expect(outputs.length).toBe(test.outputs.length);
    outputs.forEach((output, i) => {
      const expected = test.outputs[i]!;
      // Golden dtypes are those of float32 inputs; a result in float32 follows the inputs unless it was asked for.
      const follows = expected.dtype === 'float32' && !JSON.stringify(test.args).includes('float32');
      expect(output.dtype).toBe(follows && inputs.length > 0 ? floating : expected.dtype);
      expect(output.shape).toEqual(expected.shape);
      expect(output.device.startsWith(device)).toBe(true);
      compare(output, expected.values, floating, `output ${i}`);
    });
    if (test.gradients !== null) checkGradients(test.gradients, inputs, outputs, floating);
  });
  expect(liveTensors(), 'tensors left after the scope').toBe(before);
}

function checkGradients(
  expected: readonly (readonly (number | string)[])[],
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  floating: 'float32' | 'bfloat16',
): void {
  const leaves = inputs.filter((input) => input.requiresGrad);
  const differentiable = outputs.filter((output) => output.requiresGrad);
  const gradients = grad(differentiable, leaves, { gradOutputs: differentiable.map(weights) });
  expect(gradients.length).toBe(expected.length);
  gradients.forEach((gradient, i) => {
    expect(gradient?.shape).toEqual(leaves[i]!.shape);
    expect(gradient?.dtype).toBe(floating);
    compare(gradient!, expected[i]!, floating, `gradient ${i}`);
  });
}

/** w_k = ((7 k) mod 11 - 5) / 4, exact in every float type. */
function weights(output: Tensor): Tensor {
  const values = Float32Array.from({ length: output.numel }, (_, k) => (((7 * k) % 11) - 5) / 4);
  return ops.fromTypedArray(values, output.shape, { dtype: output.dtype, device: output.device });
}

function load(input: Input, floating: DType, device: Device): Tensor {
  if (input.dtype === 'int64') {
    const values = BigInt64Array.from(input.values, (value) => BigInt(Number(value)));
    return ops.fromTypedArray(values, input.shape, { device });
  }
  if (input.dtype === 'bool') {
    const values = Uint8Array.from(input.values, Number);
    return ops.fromTypedArray(values, input.shape, { dtype: 'bool', device });
  }
  const values = Float32Array.from(input.values, (value) => number(value) / input.scale);
  const tensor = ops.fromTypedArray(values, input.shape, { dtype: floating, device });
  return input.grad ? tensor.setRequiresGrad() : tensor;
}

function decode(arg: unknown, inputs: readonly Tensor[]): unknown {
  if (Array.isArray(arg)) return arg.map((item) => decode(item, inputs));
  if (typeof arg !== 'object' || arg === null) return arg;
  if ('$' in arg) return arg.$ === 'undefined' ? undefined : inputs[arg.$ as number];
  return Object.fromEntries(Object.entries(arg).map(([key, item]) => [key, decode(item, inputs)]));
}

function tensorsOf(result: unknown): Tensor[] {
  if (result instanceof Tensor) return [result];
  return Object.values(result as Record<string, Tensor> | readonly Tensor[]);
}

function compare(
  actual: Tensor,
  expected: readonly (number | boolean | string)[],
  floating: 'float32' | 'bfloat16',
  what: string,
): void {
  const got = actual.toArray();
  expect(got.length).toBe(expected.length);
  const wanted = expected.map(number);
  const { value, largest } = TOLERANCE[floating];
  const scale = Math.max(0, ...wanted.filter(Number.isFinite).map(Math.abs));
  wanted.forEach((want, k) => {
    const tolerance = isFloat(actual.dtype) ? value * Math.abs(want) + largest * scale : 0;
    const close = Object.is(got[k], want) || Math.abs(got[k]! - want) <= tolerance;
    if (!close) expect.fail(`${what}, element ${k}: expected ${want} ± ${tolerance}, got ${got[k]}`);
  });
}

function number(value: number | boolean | string): number {
  if (value === 'inf') return Number.POSITIVE_INFINITY;
  if (value === '-inf') return Number.NEGATIVE_INFINITY;
  return Number(value);
}
