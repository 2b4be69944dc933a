/** Rounds latents to codes and back, on typed arrays; the same numbers as the quantiser on tensors. */
import { floatToHalf, halfTable } from '../../models/gguf/index.js';
import { fixedStep, groupsPerVector, type Quantisation } from './quantisation.js';
import { byteToScale, ceilScale, scaleToByte } from './scale-byte.js';

export const HALF_MAX = 65_504;

export interface QuantisedValues {
  /** Per value: 0 … 2^b − 1 (cells from the lowest up), or a binary16 or binary32 pattern. */
  readonly codes: Uint32Array;
  /** One byte per group, vector after vector; empty without groups. */
  readonly scales: Uint8Array;
}

/**
 * @param values [M · width] finite, vector after vector
 * @param width d_z; a group never reaches into the next vector
 */
export function quantise(values: Float32Array, width: number, q: Quantisation): QuantisedValues {
  if (q.bits === 32) {
    // A copy first: the view may start at any byte of its buffer.
    return { codes: new Uint32Array(values.slice().buffer), scales: new Uint8Array(0) };
  }
  const codes = new Uint32Array(values.length);
  if (q.bits === 16) {
    for (let i = 0; i < values.length; i++) codes[i] = floatToHalf(clamp(values[i]!, HALF_MAX));
    return { codes, scales: new Uint8Array(0) };
  }
  const half = 2 ** (q.bits - 1);
  const scales = new Uint8Array((values.length / width) * groupsPerVector(width, q));
  let group = 0;
  let step = fixedStep(q.bits);
  for (let i = 0; i < values.length; i++) {
    const column = i % width;
    if (q.group > 0 && column % q.group === 0) {
      const end = i + Math.min(q.group, width - column);
      step = ceilScale(Math.fround(largest(values, i, end) / (half - 0.5)));
      scales[group++] = scaleToByte(step);
    }
    // A group of zeros has step 0: any code means 0.
    const cell = Math.floor(Math.fround(values[i]! / (step === 0 ? 1 : step)));
    codes[i] = Math.min(Math.max(cell, -half), half - 1) + half;
  }
  return { codes, scales };
}

/** The numbers that codes stand for, [M · width]. */
export function dequantise({ codes, scales }: QuantisedValues, width: number, q: Quantisation): Float32Array {
  if (q.bits === 32) return new Float32Array(codes.slice().buffer);
  const values = new Float32Array(codes.length);
  if (q.bits === 16) {
    const table = halfTable();
    for (let i = 0; i < codes.length; i++) values[i] = table[codes[i]!]!;
    return values;
  }
  const half = 2 ** (q.bits - 1);
  let group = 0;
  let step = fixedStep(q.bits);
  for (let i = 0; i < codes.length; i++) {
    if (q.group > 0 && (i % width) % q.group === 0) step = byteToScale(scales[group++]!);
    // + 0 makes −0 (of an all-zero group) plain 0, as on tensors.
    values[i] = (codes[i]! - half + 0.5) * step + 0;
  }
  return values;
}

function largest(values: Float32Array, start: number, end: number): number {
  let max = 0;
  for (let i = start; i < end; i++) max = Math.max(max, Math.abs(values[i]!));
  return max;
}

function clamp(x: number, limit: number): number {
  return Math.min(Math.max(x, -limit), limit);
}
