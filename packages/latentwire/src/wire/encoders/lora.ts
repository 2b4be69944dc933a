/**
 * Low-rank changes of a frozen decoder's matrices: W + (α/r)·B·A with A [r, in], B [out, r] in fp32 (Hu et al. 2021,
 * arXiv 2106.09685). B starts at zero, so the model starts as it was. α = 2r.
 */
import * as t from '@latentwire/torch';
import type { DecoderWeights, LayerWeights } from '../../models/decoder/index.js';

const ALPHA_OVER_RANK = 2;

/** The change of one matrix. */
export class Lora extends t.nn.Module {
  /** A [r, in], uniform in ±1/√in */
  readonly down: t.Tensor;
  /** B [out, r], zero */
  readonly up: t.Tensor;

  constructor(inFeatures: number, outFeatures: number, rank: number, o: t.nn.ParameterOptions) {
    super();
    this.down = t.nn.uniformParameter([rank, inFeatures], 1 / Math.sqrt(inFeatures), o);
    this.up = t.nn.constantParameter([outFeatures, rank], 0, o);
  }

  /** weight [out, in] in any dtype -> weight + (α/r)·B·A in that dtype, inside the graph */
  added(weight: t.Tensor): t.Tensor {
    const change = t.mul(t.matmul(this.up, this.down), ALPHA_OVER_RANK);
    return t.add(weight, change.to({ dtype: weight.dtype }));
  }
}

const MATRICES = ['qkv', 'output', 'gateUp', 'down'] as const;

class LoraLayer extends t.nn.Module {
  readonly qkv: Lora;
  readonly output: Lora;
  readonly gateUp: Lora;
  readonly down: Lora;

  constructor(layer: LayerWeights, rank: number, o: t.nn.ParameterOptions) {
    super();
    const made = (weight: t.Tensor): Lora => new Lora(weight.size(1), weight.size(0), rank, o);
    this.qkv = made(layer.qkv);
    this.output = made(layer.output);
    this.gateUp = made(layer.gateUp);
    this.down = made(layer.down);
  }
}

/** Changes of all attention and MLP matrices of a decoder; embeddings and norms stay. */
export class LoraLayers extends t.nn.Module {
  readonly layers: readonly LoraLayer[];

  constructor(weights: DecoderWeights, rank: number, o: t.nn.ParameterOptions) {
    super();
    this.layers = weights.layers.map((layer) => new LoraLayer(layer, rank, o));
  }

  /** The weights to compute with: once per forward pass, inside the graph. */
  added(weights: DecoderWeights): DecoderWeights {
    return {
      ...weights,
      layers: weights.layers.map((layer, i) => {
        const changed = MATRICES.map((name) => [name, this.layers[i]![name].added(layer[name])] as const);
        return { ...layer, ...Object.fromEntries(changed) };
      }),
    };
  }
}
