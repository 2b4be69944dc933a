/**
 * Rotary position embedding (Su et al. 2021) in the half-split form of Hugging Face checkpoints, with linear and
 * Llama 3.1 frequency scaling. Tables are made once per model, dtype and device.
 */
import * as t from '@latentwire/torch';
import type { Rope } from '../config/model-config.js';

/** Inverse frequencies [d/2], scaled as the checkpoint asks. */
export function inverseFrequencies(rope: Rope, headDim: number): Float32Array {
  const half = headDim / 2;
  // Rounded to float32 where PyTorch rounds, so that long positions turn by the same angle.
  const out = new Float32Array(half);
  for (let i = 0; i < half; i++) {
    out[i] = scaled(Math.fround(1 / Math.fround(rope.theta ** Math.fround((2 * i) / headDim))), rope);
  }
  return out;
}

function scaled(frequency: number, rope: Rope): number {
  const s = rope.scaling;
  if (s.kind === 'none') return frequency;
  if (s.kind === 'linear') return frequency / s.factor;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength > s.originalMaxPositions / s.lowFreqFactor) return frequency / s.factor;
  if (wavelength < s.originalMaxPositions / s.highFreqFactor) return frequency;
  const smooth =
    (s.originalMaxPositions / wavelength - s.lowFreqFactor) / (s.highFreqFactor - s.lowFreqFactor);
  return ((1 - smooth) * frequency) / s.factor + smooth * frequency;
}

/** cos [P, d] and signed sin [P, d] (the first half negated, so that rotation is x·cos + swap(x)·sin). */
export interface RopeTable {
  readonly cos: t.Tensor;
  readonly sin: t.Tensor;
}

export function ropeTable(
  rope: Rope,
  headDim: number,
  positions: number,
  dtype: t.DType,
  device: t.Device,
): RopeTable {
  const half = headDim / 2;
  const frequencies = inverseFrequencies(rope, headDim);
  const cos = new Float32Array(positions * headDim);
  const sin = new Float32Array(positions * headDim);
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(p * frequencies[i]!);
      const c = Math.cos(angle);
      const s = Math.sin(angle);
      const at = p * headDim + i;
      cos[at] = c;
      cos[at + half] = c;
      sin[at] = -s;
      sin[at + half] = s;
    }
  }
  const shape = [positions, headDim];
  return {
    cos: t.keep(t.fromTypedArray(cos, shape, { dtype, device })),
    sin: t.keep(t.fromTypedArray(sin, shape, { dtype, device })),
  };
}
