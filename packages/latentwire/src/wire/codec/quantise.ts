/** Rounds latents to codes and back, on typed arrays; the same numbers as the quantiser on tensors. */
import { floatToHalf, halfTable } from '../../models/gguf/index.js';
import { fixedStep, groupCount, type Quantisation } from './quantisation.js';
import { byteToScale, ceilScale, scaleToByte } from './scale-byte.js';

export const HALF_MAX = 65_504;

export interface QuantisedValues {
  /** Per value: 0 … 2^b − 1 (cells from the lowest up), or a binary16 or binary32 pattern. */
  readonly codes: Uint32Array;
  /** One byte per group; empty without groups. */
  readonly scales: Uint8Array;
}

/** @param values finite */
export function quantise(values: Float32Array, q: Quantisation): QuantisedValues {
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
  const scales = new Uint8Array(groupCount(values.length, q));
  const length = q.group === 0 ? values.length : q.group;
  for (let start = 0, g = 0; start < values.length; start += length, g++) {
    const end = Math.min(start + length, values.length);
    let step = fixedStep(q.bits);
    if (q.group > 0) {
      step = ceilScale(Math.fround(largest(values, start, end) / (half - 0.5)));
      scales[g] = scaleToByte(step);
    }
    // An all-zero group has step 0: any code means 0.
    const divisor = step === 0 ? 1 : step;
    for (let i = start; i < end; i++) {
      const cell = Math.floor(Math.fround(values[i]! / divisor));
      codes[i] = Math.min(Math.max(cell, -half), half - 1) + half;
    }
  }
  return { codes, scales };
}

/** The numbers that codes stand for. */
export function dequantise({ codes, scales }: QuantisedValues, q: Quantisation): Float32Array {
  if (q.bits === 32) return new Float32Array(codes.slice().buffer);
  const values = new Float32Array(codes.length);
  if (q.bits === 16) {
    const table = halfTable();
    for (let i = 0; i < codes.length; i++) values[i] = table[codes[i]!]!;
    return values;
  }
  const half = 2 ** (q.bits - 1);
  let step = fixedStep(q.bits);
  for (let i = 0; i < codes.length; i++) {
    if (q.group > 0 && i % q.group === 0) step = byteToScale(scales[i / q.group]!);
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
