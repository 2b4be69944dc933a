/**
 * The decoder fixtures that make_decoders.py wrote: a tiny model per family and what transformers computes from it.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as t from '@latentwire/torch';
import { readHuggingFaceConfig } from '../../config/index.js';
import { loadWeights, SafetensorsWeightSource } from '../../weights/index.js';
import { LanguageModel } from '../language-model.js';

export const FAMILIES = ['llama', 'llama-scaled', 'mistral', 'qwen2', 'qwen3', 'gemma3'] as const;
export type Family = (typeof FAMILIES)[number];

/** Every family on every kind of device that is there. */
export const CASES: [family: Family, device: t.Device][] = FAMILIES.flatMap((family) =>
  (t.cudaIsAvailable() ? (['cpu', 'cuda:0'] as const) : (['cpu'] as const)).map(
    (device): [Family, t.Device] => [family, device],
  ),
);

/** Mean, root mean square and Σ value · sin(0.1 · index) of an array. */
export type Checksum = readonly [mean: number, rms: number, projection: number];

export interface Golden {
  /** [2, 12] */
  readonly ids: number[][];
  /** [2 * 12 * V] */
  readonly logits: Float32Array;
  /** [2 * 12 * V], transformers' own bf16 result */
  readonly logitsBf16: Float32Array;
  readonly loss: number;
  /** [2 * 12 * D] */
  readonly embedsGrad: Float32Array;
  /** bf16 input embeddings */
  readonly embedsBf16: Checksum;
  /** embeddings, each layer, last norm */
  readonly hidden: readonly Checksum[];
  readonly greedy: number[][];
  /** length of row 1 in the padded batch */
  readonly short: number;
  readonly greedyPadded: number[][];
}

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export function readGolden(family: Family): Golden {
  const raw = JSON.parse(readFileSync(file(`${family}.json`), 'utf8'));
  return {
    ids: raw.ids,
    logits: float32(raw.logits),
    logitsBf16: bfloat16(raw.logits_bf16),
    loss: raw.loss,
    embedsBf16: raw.embeds_bf16,
    embedsGrad: float32(raw.embeds_grad),
    hidden: raw.hidden,
    greedy: raw.greedy,
    short: raw.short,
    greedyPadded: raw.greedy_padded,
  };
}

/** Loads a fixture as any Hugging Face folder is loaded. The model lives until `dispose`. */
export function loadFixture(
  family: Family,
  target: { device?: t.Device; dtype?: t.DType } = {},
): LanguageModel {
  const folder = file(family);
  const config = readHuggingFaceConfig(folder);
  const source = SafetensorsWeightSource.open(folder);
  try {
    return new LanguageModel(config, loadWeights(config, source, { dtype: 'float32', device: 'cpu', ...target }));
  } finally {
    source.close();
  }
}

export function checksum(values: Float32Array): Checksum {
  let [sum, squares, projection] = [0, 0, 0];
  values.forEach((v, i) => {
    sum += v;
    squares += v * v;
    projection += v * Math.sin(0.1 * i);
  });
  return [sum / values.length, Math.sqrt(squares / values.length), projection];
}

const bytes = (base64: string): ArrayBuffer => new Uint8Array(Buffer.from(base64, 'base64')).buffer;

const float32 = (base64: string): Float32Array => new Float32Array(bytes(base64));

/** bfloat16 is the upper half of a float32. */
function bfloat16(base64: string): Float32Array {
  const upper = Uint32Array.from(new Uint16Array(bytes(base64)), (half) => half << 16);
  return new Float32Array(upper.buffer);
}
