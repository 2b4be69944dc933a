/**
 * Reads all weights of a decoder from a source into the joined layout of the forward pass, one tensor at a time, so
 * that host memory holds at most one layer beside the result.
 */
import * as t from '@latentwire/torch';
import { locateWeights, type ModelConfig, type WeightLocation } from '../config/index.js';
import type { DecoderWeights, LayerWeights } from '../decoder/index.js';
import type { WeightSource } from './weight-source.js';

export interface LoadTarget {
  readonly dtype: t.DType;
  readonly device: t.Device;
  /** Called after each layer. */
  readonly onProgress?: (layersDone: number, layers: number) => void;
}

/** @throws LatentWireError when a tensor is missing or misshapen. */
export function loadWeights(config: ModelConfig, source: WeightSource, target: LoadTarget): DecoderWeights {
  const located = locateWeights(config, source.format, source.offered(), source.path);
  const byName = new Map<string, WeightLocation>(located.map((weight) => [weight.name, weight]));
  const has = (name: string): boolean => byName.has(name);
  const raw = (name: string, dtype: t.DType = target.dtype): t.Tensor =>
    source.load(byName.get(name)!, { dtype, device: target.device });
  // Gemma's 1 + w stays float32: rounding the sum to bf16 would lose the low bits of w (see LayerWeights).
  const norm = (name: string): t.Tensor => (config.normPlusOne ? t.add(raw(name, 'float32'), 1) : raw(name));
  const joined = (names: readonly string[]): t.Tensor => t.cat(names.map((name) => raw(name)));
  const owned = (make: () => t.Tensor): t.Tensor => t.keep(t.scope(make));

  return t.noGrad(() => {
    const layers: LayerWeights[] = [];
    const embed = owned(() => raw('embed'));
    for (let i = 0; i < config.layers; i++) {
      const at = (name: string): string => `layers.${i}.${name}`;
      const optional = (name: string, make: () => t.Tensor): t.Tensor | null =>
        has(at(name)) ? owned(make) : null;
      layers.push({
        attnNorm: owned(() => norm(at('attn_norm'))),
        qkv: owned(() => joined([at('q'), at('k'), at('v')])),
        qkvBias: optional('q_bias', () => joined([at('q_bias'), at('k_bias'), at('v_bias')])),
        qkNorm: optional('q_norm', () =>
          t.cat([
            t.expand(t.unsqueeze(norm(at('q_norm')), 0), [config.heads, config.headDim]),
            t.expand(t.unsqueeze(norm(at('k_norm')), 0), [config.kvHeads, config.headDim]),
          ]),
        ),
        output: owned(() => raw(at('o'))),
        postAttnNorm: optional('post_attn_norm', () => norm(at('post_attn_norm'))),
        ffnNorm: owned(() => norm(at('ffn_norm'))),
        gateUp: owned(() => joined([at('gate'), at('up')])),
        down: owned(() => raw(at('down'))),
        postFfnNorm: optional('post_ffn_norm', () => norm(at('post_ffn_norm'))),
      });
      target.onProgress?.(i + 1, config.layers);
    }
    const finalNorm = owned(() => norm('norm'));
    const head = config.tiedEmbeddings ? embed : owned(() => raw('head'));
    return { embed, layers, norm: finalNorm, head };
  });
}
