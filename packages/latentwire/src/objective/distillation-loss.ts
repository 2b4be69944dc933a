/**
 * Knowledge distillation: the frozen model that reads latents is pulled to its own next-token distribution when it
 * reads the text (Hinton et al., arXiv 1503.02531). Distributions are compared on the teacher's k most likely tokens
 * and one bucket for all the rest, which is a lower bound of the full divergence and needs k + 1 stored numbers.
 */
import * as t from '@latentwire/torch';

/** Teacher distributions of R places at temperature τ. */
export interface TeacherDistributions {
  readonly tau: number;
  /** int32 [R, k] row-major: the most likely tokens */
  readonly ids: Int32Array;
  /** [R, k + 1] row-major: their log-probabilities at τ, and that of all other tokens together */
  readonly logProbs: Float32Array;
  readonly topK: number;
}

/** Smallest mass of the rest bucket that is told from 0: 1 − Σ in fp32 is noise below it. */
export const LEAST_REST = 1e-6;

/**
 * τ² · KL(teacher ‖ student) of each row, fp32 [R]; τ² keeps the size of its gradient at any temperature.
 * @param logits of the student, fp32 [R, V]
 */
export function distillationLoss(logits: t.Tensor, teacher: TeacherDistributions): t.Tensor {
  const { tau, topK } = teacher;
  const { device } = logits;
  const rows = logits.size(0);
  const ids = t.fromTypedArray(teacher.ids, [rows, topK], { device }).to({ dtype: 'int64' });
  const stored = t.fromTypedArray(teacher.logProbs, [rows, topK + 1], { device });
  // Stored values are rounded: normalise again, so that equal distributions have divergence 0.
  const logP = t.noGrad(() => t.logSoftmax(stored));
  const logQ = topBuckets(tau === 1 ? logits : t.div(logits, tau), ids);
  const divergence = t.sum(t.mul(t.exp(logP), t.sub(logP, logQ)), -1);
  return tau === 1 ? divergence : t.mul(divergence, tau * tau);
}

/**
 * Log-probabilities [R, k + 1] of the given tokens and of all others together.
 * @param logits fp32 [R, V], already divided by the temperature
 * @param ids int64 [R, k]
 */
export function topBuckets(logits: t.Tensor, ids: t.Tensor): t.Tensor {
  const top = t.sub(t.gather(logits, 1, ids), t.logsumexp(logits, -1, true));
  const rest = t.log(t.clamp(t.add(t.neg(t.sum(t.exp(top), -1, true)), 1), LEAST_REST, undefined));
  return t.cat([top, rest], -1);
}
