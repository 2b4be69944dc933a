/**
 * Llama 3.1 rotary scaling as GGUF files hold it: not the four parameters of config.json but their effect, one
 * divisor per frequency. The parameters are found again by trying the published ones.
 *
 * Source: `rope_type: llama3` of the published config.json files and llama.cpp's converter (`rope_freqs`).
 */
import type { RopeScaling } from './model-config.js';

type Llama3Scaling = RopeScaling & { readonly kind: 'llama3' };

/** Every published Llama 3.1, 3.2 and 3.3 model has these; `factor` is 8 or 32. */
const PUBLISHED = {
  kind: 'llama3',
  lowFreqFactor: 1,
  highFreqFactor: 4,
  originalMaxPositions: 8192,
} as const;
/** Files hold float32. */
const TOLERANCE = 1e-5;

/**
 * @param divisors headDim / 2 values.
 * @returns the scaling that yields them, or undefined when no Llama 3 scaling does.
 */
export function recoverLlama3Scaling(
  divisors: ArrayLike<number>,
  theta: number,
  headDim: number,
): RopeScaling | undefined {
  if (divisors.length !== headDim / 2) return undefined;
  const values = Array.from(divisors);
  if (values.every((value) => value === 1)) return { kind: 'none' };
  const candidate: Llama3Scaling = { ...PUBLISHED, factor: Math.max(...values) };
  const matches = values.every((value, i) => {
    const expected = llama3Divisor(candidate, 2 * Math.PI * theta ** ((2 * i) / headDim));
    return Math.abs(value - expected) <= TOLERANCE * expected;
  });
  return matches ? candidate : undefined;
}

/** `wavelength`: positions per turn of the unscaled frequency. */
function llama3Divisor(scaling: Llama3Scaling, wavelength: number): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  const turns = originalMaxPositions / wavelength;
  if (turns > highFreqFactor) return 1;
  if (turns < lowFreqFactor) return factor;
  const smooth = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return 1 / ((1 - smooth) / factor + smooth);
}
