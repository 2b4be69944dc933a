/**
 * Checks of array arguments. Every public function passes its arrays through here first, so that all
 * errors read alike and name argument and index, and so that the code behind works on Float64Array.
 */
import { StatsError } from '../errors.js';

/** Anything that holds numbers: a plain array or any typed array. */
export type NumericArray = ArrayLike<number>;

/** A cluster, stratum or group name for each item. */
export type LabelArray = ArrayLike<number | string>;

/** A copy of `values` as doubles; every value must be a finite number and there must be at least `minimum`. */
export function finiteArray(values: NumericArray, argument: string, minimum = 1): Float64Array {
  requireArray(values, argument);
  requireLength(values.length, minimum, argument);
  const copy = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value: unknown = values[i];
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new StatsError(`expected a finite number, got ${describe(value)}`, {
        argument,
        index: i,
        hint: 'Remove the item from both sides of the comparison, or fix the metric that produced it.',
      });
    }
    copy[i] = value;
  }
  return copy;
}

/** Two finite arrays of equal length (paired data). */
export function pairedArrays(
  a: NumericArray,
  b: NumericArray,
  minimum: number,
  names: readonly [string, string] = ['a', 'b'],
): [Float64Array, Float64Array] {
  const left = finiteArray(a, names[0], minimum);
  const right = finiteArray(b, names[1], minimum);
  if (left.length !== right.length) {
    throw new StatsError(`expected ${left.length} values, one for each of ${names[0]}, got ${right.length}`, {
      argument: names[1],
      hint: 'Paired data need the same items in the same order; use the unpaired test for different items.',
    });
  }
  return [left, right];
}

/** `a[i] − b[i]`. */
export function differences(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value - b[i]!);
}

/** 0/1 per element; booleans and the numbers 0 and 1 are accepted. */
export function binaryArray(values: ArrayLike<number | boolean>, argument: string): Uint8Array {
  requireArray(values, argument);
  const copy = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value: unknown = values[i];
    if (value !== 0 && value !== 1 && value !== true && value !== false) {
      throw new StatsError(`expected 0, 1, true or false, got ${describe(value)}`, { argument, index: i });
    }
    copy[i] = Number(value);
  }
  return copy;
}

/** Labels as codes 0 … count−1 in order of first appearance. */
export interface Grouping {
  readonly codes: Int32Array;
  readonly count: number;
  readonly names: readonly (number | string)[];
}

export function grouping(labels: LabelArray, length: number, argument: string): Grouping {
  requireArray(labels, argument);
  if (labels.length !== length) {
    throw new StatsError(`expected ${length} labels, one for each item, got ${labels.length}`, { argument });
  }
  const codeOf = new Map<number | string, number>();
  const codes = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const label: unknown = labels[i];
    if (typeof label !== 'string' && !(typeof label === 'number' && !Number.isNaN(label))) {
      throw new StatsError(`expected a string or a number as label, got ${describe(label)}`, {
        argument,
        index: i,
      });
    }
    let code = codeOf.get(label);
    if (code === undefined) {
      code = codeOf.size;
      codeOf.set(label, code);
    }
    codes[i] = code;
  }
  return { codes, count: codeOf.size, names: [...codeOf.keys()] };
}

export function requireLength(length: number, minimum: number, argument: string): void {
  if (length < minimum) {
    throw new StatsError(
      `expected at least ${minimum} ${minimum === 1 ? 'value' : 'values'}, got ${length === 0 ? 'none' : length}`,
      { argument },
    );
  }
}

function requireArray(values: unknown, argument: string): void {
  const arrayLike =
    Array.isArray(values) ||
    (ArrayBuffer.isView(values) && 'length' in values && !(values instanceof DataView));
  if (!arrayLike) throw new StatsError(`expected an array, got ${describe(values)}`, { argument });
}

/** A short, safe rendering of a wrong value for an error message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
}
