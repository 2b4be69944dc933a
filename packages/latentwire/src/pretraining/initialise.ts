/** Random starting weights of a decoder that is to be trained (GPT-2's recipe, Radford et al. 2019). */
import * as t from '@latentwire/torch';
import type { DecoderWeights, LayerWeights, ModelConfig } from '../models/index.js';

const STD = 0.02;

/**
 * Trainable weights: normal with standard deviation 0.02, projections that end in the residual stream divided by
 * √(2·layers), so that its size does not grow with depth; norms one, biases zero.
 * @param generator CPU generator; equal states give equal bytes on every device.
 */
export function initialiseDecoder(
  config: ModelConfig,
  generator: t.Generator,
  device: t.Device = 'cpu',
): DecoderWeights {
  const { hiddenSize: d, intermediateSize, heads, kvHeads, headDim, vocabSize, layers } = config;
  const o = { generator, device };
  const residualStd = STD / Math.sqrt(2 * layers);
  const ones = (size: number): t.Tensor => t.nn.constantParameter([size], 1, o);
  const projections = (heads + 2 * kvHeads) * headDim;
  const embed = t.nn.normalParameter([vocabSize, d], STD, o);
  const layer = (): LayerWeights => ({
    attnNorm: ones(d),
    qkv: t.nn.normalParameter([projections, d], STD, o),
    qkvBias: config.attentionBias ? t.nn.constantParameter([projections], 0, o) : null,
    qkNorm: null,
    output: t.nn.normalParameter([d, heads * headDim], residualStd, o),
    postAttnNorm: null,
    ffnNorm: ones(d),
    gateUp: t.nn.normalParameter([2 * intermediateSize, d], STD, o),
    down: t.nn.normalParameter([d, intermediateSize], residualStd, o),
    postFfnNorm: null,
  });
  return {
    embed,
    layers: Array.from({ length: layers }, layer),
    norm: ones(d),
    head: config.tiedEmbeddings ? embed : t.nn.normalParameter([vocabSize, d], STD, o),
  };
}
