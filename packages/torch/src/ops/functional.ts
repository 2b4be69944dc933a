/** Neural-network functions: activations over a dimension, losses, normalisation, attention, lookup. */
import { op, run } from '../dispatch.js';
import { type DType, optionalDtypeCode } from '../dtype.js';
import { packIntegers } from '../list.js';
import type { Tensor } from '../tensor.js';

export type Reduction = 'none' | 'mean' | 'sum';
const REDUCTION: Record<Reduction, number> = { none: 0, mean: 1, sum: 2 };

const SOFTMAX = op('aten::softmax.int');
const LOG_SOFTMAX = op('aten::log_softmax.int');
const CROSS_ENTROPY = op('aten::cross_entropy_loss');
const NLL = op('aten::nll_loss');
const KL_DIV = op('aten::kl_div');
const MSE = op('aten::mse_loss');
const L1 = op('aten::l1_loss');
const SMOOTH_L1 = op('aten::smooth_l1_loss');
const BCE_LOGITS = op('aten::binary_cross_entropy_with_logits');
const COSINE = op('aten::cosine_similarity');
const LAYER_NORM = op('aten::layer_norm');
const RMS_NORM = op('aten::rms_norm');
const EMBEDDING = op('aten::embedding');
const DROPOUT = op('aten::dropout');
const SDPA = op('aten::scaled_dot_product_attention');
const ADAPTIVE_AVG_POOL1D = op('aten::adaptive_avg_pool1d');
const AVG_POOL1D = op('aten::avg_pool1d');

export const softmax = (x: Tensor, dim = -1, dtype?: DType): Tensor =>
  run(SOFTMAX, x.handle, dim, optionalDtypeCode(dtype));
export const logSoftmax = (x: Tensor, dim = -1, dtype?: DType): Tensor =>
  run(LOG_SOFTMAX, x.handle, dim, optionalDtypeCode(dtype));

/** Cross-entropy of logits [N, C] against class ids [N] (int64) or probabilities [N, C]. */
export const crossEntropy = (
  logits: Tensor,
  target: Tensor,
  o: { reduction?: Reduction; ignoreIndex?: number; labelSmoothing?: number; weight?: Tensor } = {},
): Tensor =>
  run(
    CROSS_ENTROPY,
    logits.handle,
    target.handle,
    o.weight === undefined ? null : o.weight.handle,
    REDUCTION[o.reduction ?? 'mean'],
    o.ignoreIndex ?? -100,
    o.labelSmoothing ?? 0,
  );

/** Negative log-likelihood of log-probabilities [N, C] against class ids [N]. */
export const nllLoss = (
  logProbabilities: Tensor,
  target: Tensor,
  o: { reduction?: Reduction; ignoreIndex?: number } = {},
): Tensor =>
  run(
    NLL,
    logProbabilities.handle,
    target.handle,
    null,
    REDUCTION[o.reduction ?? 'mean'],
    o.ignoreIndex ?? -100,
  );

/** KL(target ‖ input) terms; input holds log-probabilities, target too when logTarget. */
export const klDiv = (
  input: Tensor,
  target: Tensor,
  o: { reduction?: Reduction; logTarget?: boolean } = {},
): Tensor => run(KL_DIV, input.handle, target.handle, REDUCTION[o.reduction ?? 'mean'], o.logTarget ?? false);

export const mseLoss = (a: Tensor, b: Tensor, reduction: Reduction = 'mean'): Tensor =>
  run(MSE, a.handle, b.handle, REDUCTION[reduction]);
export const l1Loss = (a: Tensor, b: Tensor, reduction: Reduction = 'mean'): Tensor =>
  run(L1, a.handle, b.handle, REDUCTION[reduction]);
export const smoothL1Loss = (a: Tensor, b: Tensor, reduction: Reduction = 'mean', beta = 1): Tensor =>
  run(SMOOTH_L1, a.handle, b.handle, REDUCTION[reduction], beta);
export const binaryCrossEntropyWithLogits = (
  logits: Tensor,
  target: Tensor,
  reduction: Reduction = 'mean',
): Tensor => run(BCE_LOGITS, logits.handle, target.handle, null, null, REDUCTION[reduction]);
export const cosineSimilarity = (a: Tensor, b: Tensor, dim = 1, eps = 1e-8): Tensor =>
  run(COSINE, a.handle, b.handle, dim, eps);

/** Layer normalisation over the last dimension (Ba et al. 2016). */
export const layerNorm = (
  x: Tensor,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  eps = 1e-5,
): Tensor =>
  run(
    LAYER_NORM,
    x.handle,
    packIntegers([x.size(-1)]),
    weight === null ? null : weight.handle,
    bias === null ? null : bias.handle,
    eps,
  );

/** x / rms(x) * weight over the last dimension (Zhang & Sennrich 2019). */
export const rmsNorm = (x: Tensor, weight: Tensor | null = null, eps = 1e-6): Tensor =>
  run(RMS_NORM, x.handle, packIntegers([x.size(-1)]), weight === null ? null : weight.handle, eps);

/** Rows of weight [V, D] by ids (int64, any shape) -> [..., D]. */
export const embedding = (weight: Tensor, ids: Tensor): Tensor => run(EMBEDDING, weight.handle, ids.handle);

/** Zeroes elements with probability p and rescales; the identity when not training. */
export const dropout = (x: Tensor, p: number, training: boolean): Tensor =>
  run(DROPOUT, x.handle, p, training);

/**
 * softmax(q kᵀ * scale + mask) v. q [B, H, Tq, d], k and v [B, Hkv, Tk, d].
 * @param mask bool (true = attend) or additive float, broadcastable to [B, H, Tq, Tk].
 * @param enableGqa lets H be a multiple of Hkv (grouped-query attention).
 */
export const scaledDotProductAttention = (
  q: Tensor,
  k: Tensor,
  v: Tensor,
  o: { mask?: Tensor | null; causal?: boolean; scale?: number; dropout?: number; enableGqa?: boolean } = {},
): Tensor =>
  run(
    SDPA,
    q.handle,
    k.handle,
    v.handle,
    o.mask == null ? null : o.mask.handle,
    o.dropout ?? 0,
    o.causal ?? false,
    o.scale ?? null,
    o.enableGqa ?? false,
  );

/** Mean over windows so that the last dimension of [B, C, T] becomes `size`. */
export const adaptiveAvgPool1d = (x: Tensor, size: number): Tensor =>
  run(ADAPTIVE_AVG_POOL1D, x.handle, [size]);
export const avgPool1d = (x: Tensor, kernel: number, stride = kernel): Tensor =>
  run(AVG_POOL1D, x.handle, [kernel], [stride]);
