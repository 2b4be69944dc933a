import * as t from '@latentwire/torch';
import { afterEach, describe, expect, it } from 'vitest';
import { tinyModelConfig } from '../../wire/tiny-model.fixture.js';
import type { ModelConfig } from '../config/index.js';
import { LanguageModel } from './language-model.js';
import { type DecoderWeights, type LayerWeights, namedWeights } from './weights.js';

const base: ModelConfig = {
  ...tinyModelConfig,
  ...{ hiddenSize: 64, layers: 3, heads: 4, kvHeads: 2, headDim: 32, intermediateSize: 48 },
  ...{ layerAttention: ['full', 'full', 'full'], attentionScale: 1 / Math.sqrt(32) },
};
const FAMILIES: Record<string, Partial<ModelConfig>> = {
  llama: {},
  'qwen2, with biases': { family: 'qwen2', attentionBias: true },
  'gemma3, with norms after and of heads': {
    ...{ family: 'gemma3', activation: 'gelu_tanh', qkNorm: true, postNorms: true, normPlusOne: true },
  },
};

/** Frozen weights that move something, each of its own, rounded to `dtype`. @param kept what they are kept in */
function model(config: ModelConfig, device: t.Device, dtype: t.DType, kept = dtype): LanguageModel {
  const generator = new t.Generator('cpu', 5);
  const { hiddenSize: d, heads, kvHeads, headDim, intermediateSize: inner, vocabSize } = config;
  const random = (shape: number[], scale: number, at = 0): t.Tensor =>
    t.keep(
      t.scope(() =>
        t
          .add(t.mul(t.randn(shape, { generator }), scale), at)
          .to({ device, dtype })
          .to({ dtype: kept }),
      ),
    );
  // Gemma's norms stay in float32.
  const norm = (shape: number[]): t.Tensor => {
    const weight = random(shape, 0.3, 1);
    return config.postNorms ? t.keep(weight.to({ dtype: 'float32' })) : weight;
  };
  const all = heads + 2 * kvHeads;
  const perHead = (): t.Tensor =>
    t.keep(
      t.scope(() =>
        t.cat(
          [heads, kvHeads].map((n) => t.expand(norm([1, headDim]), [n, headDim])),
          0,
        ),
      ),
    );
  const layer = (): LayerWeights => ({
    attnNorm: norm([d]),
    qkv: random([all * headDim, d], 0.15),
    qkvBias: config.attentionBias ? random([all * headDim], 0.3) : null,
    qkNorm: config.qkNorm ? perHead() : null,
    output: random([d, heads * headDim], 0.1),
    postAttnNorm: config.postNorms ? norm([d]) : null,
    ffnNorm: norm([d]),
    gateUp: random([2 * inner, d], 0.15),
    down: random([d, inner], 0.15),
    postFfnNorm: config.postNorms ? norm([d]) : null,
  });
  const embed = random([vocabSize, d], 1);
  const weights: DecoderWeights = {
    embed,
    layers: config.layerAttention.map(layer),
    norm: norm([d]),
    head: embed,
  };
  return new LanguageModel(config, weights);
}

/** Final states, and the gradients of the embeddings and of what is trained under a loss that weighs each state differently. */
function run(own: LanguageModel, causal: boolean, dtype: t.DType): Float32Array[] {
  const trained = [...namedWeights(own.weights).values()].filter((w) => w.requiresGrad);
  t.zeroGrad(trained);
  return t.scope(() => {
    const generator = new t.Generator('cpu', 6);
    const { device } = own;
    const embeds = t.randn([3, 10, base.hiddenSize], { generator }).to({ device, dtype }).setRequiresGrad();
    const hidden = own.hidden(embeds, { causal });
    const weights = t.cos(t.arange(0, hidden.numel, 1, { dtype: 'float32', device }));
    t.backward(t.sum(t.mul(t.reshape(hidden.to({ dtype: 'float32' }), [-1]), weights)));
    return [hidden, embeds.grad!, ...trained.map((w) => w.grad!)].map((x) => x.toFloat32Array());
  });
}

/** Relative to the size of what is compared. */
function difference(a: Float32Array, b: Float32Array): number {
  const norm = (x: Float32Array): number => Math.hypot(...x);
  return norm(a.map((x, i) => x - b[i]!)) / norm(b);
}

const devices: [t.Device, t.DType][] = [
  ['cpu', 'float32'],
  ['cpu', 'bfloat16'],
];
if (t.cudaDeviceCount() > 0) devices.push(['cuda', 'bfloat16'], ['cuda', 'float16']);

describe.each(devices)('a layer as one operator, on %s in %s', (device, dtype) => {
  afterEach(() => void t.nn.setWholeLayersAnywhere(false));

  /** Layers as one operator, or as torch's own operators. */
  const states = (own: LanguageModel, causal: boolean, type: t.DType, on: boolean): Float32Array[] => {
    const kernels = t.nn.setFusedKernels(on);
    t.nn.setWholeLayersAnywhere(on);
    try {
      return run(own, causal, type);
    } finally {
      t.nn.setFusedKernels(kernels);
      t.nn.setWholeLayersAnywhere(false);
    }
  };

  /** Layers as one operator must be as near to what float32 gives as its operators one by one. */
  const compare = (
    changes: Partial<ModelConfig>,
    causal: boolean,
    trains: (name: string) => boolean,
  ): void => {
    const models = [dtype, 'float32' as const].map((kept) =>
      model({ ...base, ...changes }, device, dtype, kept),
    );
    for (const { weights } of models) {
      for (const [name, weight] of namedWeights(weights)) {
        if (name.startsWith('layers') && trains(name)) weight.setRequiresGrad();
      }
    }
    const [own, exact] = models as [LanguageModel, LanguageModel];
    const expected = states(exact, causal, 'float32', false);
    const separate = states(own, causal, dtype, false);
    states(own, causal, dtype, true).forEach((values, i) => {
      const error = difference(values, expected[i]!);
      const rounding = difference(separate[i]!, expected[i]!);
      expect(error, `${i}`).toBeLessThan(1.5 * rounding + 3e-6);
    });
    for (const one of models) one.dispose();
  };

  it.each(
    Object.entries(FAMILIES).flatMap(([name, changes]) => [
      [name, 'causal', changes, true] as const,
      [name, 'in both directions', changes, false] as const,
    ]),
  )('has the values and the gradient of its operators: %s, %s', (_, __, changes, causal) => {
    compare(changes, causal, () => false);
  });

  it.each([
    ['all weights', {}, () => true],
    ['all weights and biases', FAMILIES['qwen2, with biases']!, () => true],
    ['some matrices', {}, (name: string) => /1\.(qkv|down)$/.test(name)],
    ['norms alone', {}, (name: string) => name.endsWith('Norm')],
    [
      'matrices beside frozen norms',
      FAMILIES['gemma3, with norms after and of heads']!,
      (name: string) => !name.endsWith('Norm'),
    ],
  ] as const)('has the gradients of weights that are trained: %s', (_, changes, trains) => {
    compare(changes, true, trains);
  });

  it('is taken on GPUs in half precision, and where norms after a part are not trained', () => {
    const own = model(base, device, dtype);
    const { layers } = own.weights;
    t.scope(() => {
      const x = t.ones([2, 8, base.hiddenSize], { device }).to({ dtype });
      const table = t.ones([1, 8, 1, base.headDim], { device }).to({ dtype });
      const options = {
        ...{ cos: table, sin: table, heads: 4, kvHeads: 2, eps: 1e-6, scale: 1, causal: true },
        activation: 'silu' as const,
      };
      expect(t.nn.decoderLayerTakes(x, layers[0]!, options)).toBe(device !== 'cpu');
      t.nn.setWholeLayersAnywhere(true);
      expect(t.nn.decoderLayerTakes(x, layers[0]!, options)).toBe(true);
      layers[0]!.qkv.setRequiresGrad();
      expect(t.nn.decoderLayerTakes(x, layers[0]!, options)).toBe(true);
      const postFfnNorm = t.ones([4]).setRequiresGrad();
      expect(t.nn.decoderLayerTakes(x, { ...layers[0]!, postFfnNorm }, options)).toBe(false);
    });
    own.dispose();
  });
});
