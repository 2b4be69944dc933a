/**
 * Which keys a query may see: causality, padding and sliding windows as one rule for training, evaluation and
 * generation. Without padding no mask is built, so that the fused causal kernels are used.
 */
import * as t from '@latentwire/torch';

export interface AttentionReach {
  /** bool [B or 1, 1, Tq, Tk], true = attend; null = no mask needed beyond `causal` */
  readonly mask: t.Tensor | null;
  /** the kernel applies the causal triangle itself */
  readonly causal: boolean;
}

export interface AttentionLayout {
  /** queries in this call */
  readonly queries: number;
  /** keys before the first query (KV cache) */
  readonly past: number;
  /** bool [B, past + queries], true = real token; null = no padding (or only on the right, see below) */
  readonly valid: t.Tensor | null;
  readonly causal: boolean;
  readonly device: t.Device;
}

/**
 * Reach of a layer. Right padding under a causal mask needs no mask at all: real tokens come first and never look
 * right. A padded query may look at itself, so that its row of the softmax is defined; nobody reads it.
 * @param window positions a sliding layer sees, itself included (causal) or on each side (non-causal).
 */
export function attentionReach(layout: AttentionLayout, window: number | null): AttentionReach {
  const { queries, past, valid, causal, device } = layout;
  const keys = past + queries;
  const slides = window !== null && keys > window;
  if (valid === null && !slides) {
    if (!causal) return { mask: null, causal: false };
    if (queries === 1) return { mask: null, causal: false };
    if (past === 0) return { mask: null, causal: true };
  }
  const q = t.unsqueeze(t.arange(past, keys, 1, { device }), 1); // [Tq, 1]
  const k = t.unsqueeze(t.arange(0, keys, 1, { device }), 0); // [1, Tk]
  let mask = causal ? t.le(k, q) : t.ge(k, 0);
  if (!causal) mask = t.expand(mask, [queries, keys]);
  if (slides) {
    const distance = t.sub(q, k);
    mask = t.logicalAnd(mask, t.lt(causal ? distance : t.abs(distance), window));
  }
  mask = t.view(t.contiguous(mask), [1, 1, queries, keys]);
  if (valid !== null) {
    const seen = t.logicalAnd(mask, t.reshape(valid, [valid.size(0), 1, 1, keys]));
    mask = t.logicalOr(seen, t.view(t.contiguous(t.eq(k, q)), [1, 1, queries, keys]));
  }
  return { mask, causal: false };
}
