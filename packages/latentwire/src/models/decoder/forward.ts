/**
 * The forward pass of Llama-like decoders: RMSNorm → attention (GQA, RoPE) → RMSNorm → gated MLP, with residuals.
 * One function for all families; the configuration says what is on. Shapes: B batch, T positions, D hidden size,
 * H query heads, Hkv key/value heads, d head width, I MLP width.
 */
import * as t from '@latentwire/torch';
import type { LayerAttention, ModelConfig } from '../config/model-config.js';
import { type AttentionReach, attentionReach } from './attention-mask.js';
import type { AttentionCache } from './kv-cache.js';
import type { RopeTable } from './rope.js';
import type { DecodingCache } from './static-cache.js';
import type { DecoderWeights, LayerWeights } from './weights.js';

export interface ForwardOptions {
  /** bool [B, T] (with a cache: [B, past + T]), true = real token. null = every position is real. */
  readonly valid?: t.Tensor | null;
  /**
   * Set when padding, if any, is only on the right of the sequence. Then positions count from 0 and causal layers
   * need no mask; outputs at padded positions are meaningless.
   */
  readonly rightPadded?: boolean;
  /** Default true. False lets every position see every other (encoders). */
  readonly causal?: boolean;
  readonly cache?: AttentionCache | null;
  /** One more position for every row [B, 1, D] of this cache, in place of `cache` and `valid`. */
  readonly decoding?: DecodingCache | null;
  /**
   * int64 [N] flat places (b·T + t) whose states are wanted; the result is then [N, D]. The last layer computes nothing
   * for the others but their keys and values.
   */
  readonly places?: t.Tensor | null;
  /** Keep only the input of each layer; backward computes the rest again. Without a cache and `onHidden` only. */
  readonly recompute?: boolean;
  /** Called with the residual stream [B, T, D] before each layer and, last, with the normalised output. */
  readonly onHidden?: (hidden: t.Tensor, layer: number) => void;
}

/** RoPE tables per kind of layer, long enough for the positions used. */
export type RopeTables = (attention: LayerAttention, positions: number) => RopeTable;

interface LayerContext {
  readonly config: ModelConfig;
  readonly cos: t.Tensor;
  readonly sin: t.Tensor;
  readonly reach: AttentionReach;
  readonly window: number | null;
  readonly cache: AttentionCache | null;
  readonly decoding: DecodingCache | null;
}

/** Embeddings [B, T, D] -> final hidden states [B, T, D] (after the last norm), or [N, D] of the asked `places`. */
export function decoderForward(
  config: ModelConfig,
  weights: DecoderWeights,
  tables: RopeTables,
  embeds: t.Tensor,
  options: ForwardOptions = {},
): t.Tensor {
  const cache = options.cache ?? null;
  const decoding = options.decoding ?? null;
  const past = cache?.length ?? 0;
  const length = embeds.size(1);
  const causal = options.causal ?? true;
  const padded = options.valid ?? null;
  const layout = {
    queries: length,
    past,
    valid: options.rightPadded === true && causal ? null : padded,
    causal,
    device: embeds.device,
  };
  const positions = padded !== null && options.rightPadded !== true ? countedPositions(padded, past) : null;
  const contexts = new Map<LayerAttention, LayerContext>();
  const contextOf = (attention: LayerAttention): LayerContext => {
    let context = contexts.get(attention);
    if (context === undefined) {
      const { cos, sin } = tables(attention, decoding?.capacity ?? past + length);
      const rows = (table: t.Tensor): t.Tensor =>
        decoding === null ? tableRows(table, positions, past, length) : table;
      const window = attention === 'sliding' ? config.slidingWindow : null;
      const reach = decoding === null ? attentionReach(layout, window) : EVERYTHING;
      context = { config, cos: rows(cos), sin: rows(sin), reach, window, cache, decoding };
      contexts.set(attention, context);
    }
    return context;
  };

  const recompute = options.recompute === true && cache === null && options.onHidden === undefined;
  let stream: Stream = { residual: embeds, delta: null };
  weights.layers.forEach((layer, i) => {
    const context = contextOf(config.layerAttention[i]!);
    // A scope per layer drops the handles of its temporaries at once; what backward needs, the graph keeps.
    const places = i === config.layers - 1 ? (options.places ?? null) : null;
    if (recompute) {
      const [sum] = t.recomputed(() => {
        const { residual, delta } = decoderLayer(stream, layer, i, context, places);
        return [t.add(residual, delta!)];
      });
      if (i > 0) stream.residual.dispose();
      stream = { residual: sum!, delta: null };
      return;
    }
    let next = places === null && options.onHidden === undefined ? wholeLayer(stream, layer, context) : null;
    if (next === null) {
      const { input, ...separately } = t.scope(() => decoderLayer(stream, layer, i, context, places));
      if (options.onHidden !== undefined) options.onHidden(input, i);
      else if (i > 0) input.dispose();
      next = separately;
    }
    stream.delta?.dispose();
    if (i > 0) stream.residual.dispose();
    stream = next;
  });
  cache?.advance(length);
  const [, normalised] = t.nn.addNorm(stream.residual, stream.delta, weights.norm, config.rmsNormEps);
  options.onHidden?.(normalised, config.layers);
  return normalised;
}

/** The cache of a decoding step knows itself what there is to see. */
const EVERYTHING: AttentionReach = { mask: null, causal: false };

/** The residual stream is `residual + delta`: the sum is made together with the norm that follows it. */
interface Stream {
  readonly residual: t.Tensor;
  readonly delta: t.Tensor | null;
}

/** The same in one operator, where there is one for such a layer; null: there is none. */
function wholeLayer(
  { residual, delta }: Stream,
  w: LayerWeights,
  { config, cos, sin, reach, cache, decoding }: LayerContext,
): Stream | null {
  if (cache !== null || decoding !== null || reach.mask !== null) return null;
  const { heads, kvHeads, rmsNormEps: eps, attentionScale: scale, activation } = config;
  const options = { cos, sin, heads, kvHeads, eps, scale, activation, causal: reach.causal };
  if (!t.nn.decoderLayerTakes(residual, w, options)) return null;
  const [sum, change] = t.nn.decoderLayer(residual, delta, w, options);
  return { residual: sum, delta: change };
}

function decoderLayer(
  stream: Stream,
  w: LayerWeights,
  index: number,
  context: LayerContext,
  places: t.Tensor | null,
): Stream & { readonly input: t.Tensor } {
  const eps = context.config.rmsNormEps;
  const [input, normalised] = t.nn.addNorm(stream.residual, stream.delta, w.attnNorm, eps);
  let a = t.linear(atPlaces(attention(normalised, w, index, context), places), w.output);
  if (w.postAttnNorm !== null) a = scaledNorm(a, w.postAttnNorm, eps);
  const [residual, between] = t.nn.addNorm(atPlaces(input, places), a, w.ffnNorm, eps);
  let delta = gatedMlp(between, w, context.config);
  if (w.postFfnNorm !== null) delta = scaledNorm(delta, w.postFfnNorm, eps);
  return { input, residual, delta };
}

/** [B, T, D] -> attended values of all heads [B, T, H·d], before the output projection. */
function attention(x: t.Tensor, w: LayerWeights, index: number, context: LayerContext): t.Tensor {
  const { config, reach, cache, decoding } = context;
  const { heads, kvHeads, headDim } = config;
  const [b, length] = [x.size(0), x.size(1)];
  const qkv = t.view(t.linear(x, w.qkv, w.qkvBias), [b, length, heads + 2 * kvHeads, headDim]);
  if (decoding !== null) {
    const { cos, sin, window } = context;
    const [eps, scale] = [config.rmsNormEps, config.attentionScale];
    return decoding.attend(index, qkv, { cos, sin, norm: w.qkNorm, eps, window, scale });
  }
  let [q, keys, values] = splitHeads(qkv, w, context);
  if (cache !== null) [keys, values] = cache.append(index, keys, values);
  const attended = t.scaledDotProductAttention(q, keys, values, {
    mask: reach.mask,
    causal: reach.causal,
    scale: config.attentionScale,
    enableGqa: heads !== kvHeads,
  });
  return t.reshape(t.transpose(attended, 1, 2), [b, length, heads * headDim]);
}

/** Rows [N, D] of x [B, T, D]. */
function atPlaces(x: t.Tensor, places: t.Tensor | null): t.Tensor {
  return places === null ? x : t.indexSelect(t.reshape(x, [-1, x.size(-1)]), 0, places);
}

/** [B, T, H + 2·Hkv, d] -> q [B, H, T, d], k and v [B, Hkv, T, d], rotated. */
function splitHeads(qkv: t.Tensor, w: LayerWeights, context: LayerContext): [t.Tensor, t.Tensor, t.Tensor] {
  const { config, cos, sin } = context;
  const { heads, kvHeads } = config;
  if (w.qkNorm === null) return t.nn.rotarySplit(qkv, cos, sin, heads, kvHeads);
  const { qkNorm } = w;
  const [rotated, plain] = t.split(qkv, [heads + kvHeads, kvHeads], 2);
  const normed = inDType(rotated!, qkNorm.dtype, (y) => t.mul(t.rmsNorm(y, null, config.rmsNormEps), qkNorm));
  const [q, k] = t.split(t.transpose(t.nn.rotate(normed, cos, sin), 1, 2), [heads, kvHeads], 1);
  return [q!, k!, t.transpose(plain!, 1, 2)];
}

function gatedMlp(x: t.Tensor, w: LayerWeights, config: ModelConfig): t.Tensor {
  return t.linear(t.nn.gatedActivation(t.linear(x, w.gateUp), config.activation), w.down);
}

function scaledNorm(x: t.Tensor, weight: t.Tensor, eps: number): t.Tensor {
  return t.nn.addNorm(x, null, weight, eps)[1];
}

/** Computes in another dtype and returns to that of x. */
function inDType(x: t.Tensor, dtype: t.DType, compute: (x: t.Tensor) => t.Tensor): t.Tensor {
  return x.dtype === dtype ? compute(x) : compute(x.to({ dtype })).to({ dtype: x.dtype });
}

/** Position of each query: the number of real tokens before it. [B, T] int64 */
function countedPositions(valid: t.Tensor, past: number): t.Tensor {
  const counted = t.clamp(t.sub(t.cumsum(valid, 1), 1), 0, undefined);
  return past === 0 ? counted : t.slice(counted, 1, past);
}

/** Rows of a table for the queries, as [B or 1, T, 1, d]. */
function tableRows(table: t.Tensor, positions: t.Tensor | null, past: number, length: number): t.Tensor {
  if (positions === null) return t.view(t.narrow(table, 0, past, length), [1, length, 1, table.size(1)]);
  return t.unsqueeze(t.embedding(table, positions), 2);
}
