/**
 * All terms of the answer, from one forward pass of the frozen decoder over [head | latents | tail | answer, stop].
 * With n_i the −log p of target i, every cross-entropy term is a weighted sum over the same n:
 *
 *   answer       mean over all targets, the stop token included
 *   first token  mean over the first target of each answer
 *   K tokens     mean over the first K content tokens of each answer (the stop token is no content; BOS never is a
 *                target, so K = 1 is the first content token)
 *   KD           mean over the first K targets of the divergence from the text-reading model (distillation-loss.ts)
 *   manifold     distance of the prefix from the statistics of the embedding table (manifold-loss.ts)
 *
 * The first three are one product of a small weight matrix with n: they cost the same whether they are on or off. KD and
 * manifold are computed only when their weight is not 0. Without KD nothing else asks for the logits, and on a GPU they are
 * made in pieces (piecewise-nll.ts).
 */
import * as t from '@latentwire/torch';
import { LatentWireError } from '../errors.js';
import type { LanguageModel } from '../models/decoder/index.js';
import { type ComposedBatch, indexTensor, NO_ROW } from '../wire/index.js';
import { answerStates } from './answer-loss.js';
import { distillationLoss } from './distillation-loss.js';
import { type EmbeddingStatistics, manifoldLoss } from './manifold-loss.js';
import { piecewiseNll } from './piecewise-nll.js';
import type { TeacherBatch } from './teacher-cache/index.js';

/** Order of `AnswerTerms.values`. */
export const answerTermNames = ['answer', 'firstToken', 'kToken', 'kd', 'manifold'] as const;
export type AnswerTermName = (typeof answerTermNames)[number];
export type AnswerWeights = Readonly<Record<AnswerTermName, number>>;

/**
 * What each mean divides by: counts over the whole optimiser step (times the readers that are averaged), so that
 * micro-batches of any size add up to exactly the gradient of the one big batch.
 */
export interface AnswerCounts {
  readonly targets: number;
  readonly examples: number;
  readonly kTokens: number;
  readonly kdPositions: number;
}

export interface AnswerObjective {
  readonly weights: AnswerWeights;
  /** K: early content tokens with a term of their own. */
  readonly k: number;
  readonly counts: AnswerCounts;
  /** The teacher's distributions for the rows of this batch; needed when KD has a weight. */
  readonly teacher: TeacherBatch | null;
  /** Needed when the manifold term has a weight. */
  readonly statistics: EmbeddingStatistics | null;
  /** Share of the step's examples in this micro-batch, over the readers: the manifold term is a mean over batches. */
  readonly share: number;
}

export interface AnswerTerms {
  /** Weighted sum, a scalar with a graph. With logits in pieces it serves for its gradient alone: its own value means nothing. */
  readonly loss: t.Tensor;
  /** Every term, unweighted, without a graph, fp32 [5]; 0 where a term was not computed. */
  readonly values: t.Tensor;
}

/**
 * @param prefix [B, M, D], or null for rows without latents
 * @param inPieces whether logits are made in pieces; KD needs all of them
 */
export function answerTerms(
  model: LanguageModel,
  composed: ComposedBatch,
  prefix: t.Tensor | null,
  objective: AnswerObjective,
  inPieces = objective.weights.kd === 0 && model.device !== 'cpu',
): AnswerTerms {
  const { weights, teacher, statistics, counts, share } = objective;
  return t.scope(() => {
    const { device } = model;
    const n = composed.targetIds.length;
    const hidden = answerStates(model, composed, prefix);
    const targets = indexTensor(composed.targetIds, [n], device);
    // Every number that changes from step to step goes in as a tensor: then a captured step can be launched again.
    const shares = t.fromTypedArray(targetShares(composed.targetRows, objective), [4, n], { device });
    const logits = inPieces ? null : model.logits(hidden).to({ dtype: 'float32' });
    const scored =
      logits === null
        ? piecewiseNll(model, hidden, targets, t.select(shares, 0, 0))
        : { nll: t.crossEntropy(logits, targets, { reduction: 'none' }), loss: null };
    const sums = t.matmul(shares, scored.nll);
    let loss = scored.loss ?? t.select(sums, 0, 0);
    const values = [t.narrow(sums, 0, 1, 3)];
    const extra = (weighted: t.Tensor | null): void => {
      if (weighted !== null) loss = t.add(loss, t.select(weighted, 0, 0));
      values.push(weighted === null ? t.zeros([1], { device }) : t.narrow(weighted, 0, 1, 1));
    };

    extra(
      weights.kd === 0
        ? null
        : weightedAndPlain(
            distillationLoss(
              teacherRows(required(logits, 'kd'), required(teacher, 'kd')),
              required(teacher, 'kd'),
            ),
            weights.kd,
            1 / Math.max(1, counts.kdPositions),
            required(teacher, 'kd').rows,
          ),
    );
    extra(
      weights.manifold === 0 || prefix === null
        ? null
        : weightedAndPlain(
            t.unsqueeze(manifoldLoss(prefix, required(statistics, 'manifold')), 0),
            weights.manifold,
            share,
          ),
    );
    return { loss, values: t.noGrad(() => t.cat(values)) };
  });
}

/** [weight · scale · Σ x, scale · Σ x] over the first `real` elements of a vector. */
function weightedAndPlain(x: t.Tensor, weight: number, scale: number, real = x.size(0)): t.Tensor {
  const n = x.size(0);
  const shares = new Float32Array(2 * n).fill(weight * scale, 0, real).fill(scale, n, n + real);
  return t.matmul(t.fromTypedArray(shares, [2, n], { device: x.device }), x);
}

/** Logits of the places that the teacher has distributions for. */
function teacherRows(logits: t.Tensor, { targets }: TeacherBatch): t.Tensor {
  if (targets.length === logits.size(0) && targets.every((place, i) => place === i)) return logits;
  return t.indexSelect(logits, 0, indexTensor(targets, [targets.length], logits.device));
}

function required<T>(value: T | null, term: AnswerTermName): T {
  if (value !== null) return value;
  throw new LatentWireError(`expected what the term '${term}' compares with, got nothing`, {
    code: 'internal',
  });
}

/**
 * [4, N] row-major: what each target adds to the weighted sum and to each of the three means.
 * @param rows row of each target, ascending; padding comes last and gets nothing
 */
export function targetShares(
  rows: Int32Array,
  { weights, k, counts }: Pick<AnswerObjective, 'weights' | 'k' | 'counts'>,
): Float32Array {
  const n = rows.length;
  const shares = new Float32Array(4 * n);
  for (let start = 0; start < n; ) {
    let end = start;
    while (end < n && rows[end] === rows[start]) end++;
    if (rows[start] === NO_ROW) break;
    const early = earlyTokens(end - start, k);
    for (let i = start; i < end; i++) {
      const answer = 1 / counts.targets;
      const first = i === start ? 1 / counts.examples : 0;
      const kToken = i - start < early ? 1 / counts.kTokens : 0;
      shares[i] = weights.answer * answer + weights.firstToken * first + weights.kToken * kToken;
      shares[n + i] = answer;
      shares[2 * n + i] = first;
      shares[3 * n + i] = kToken;
    }
    start = end;
  }
  return shares;
}

/** Targets of the K-token term in an answer of `length` targets: the stop token counts only when it stands alone. */
export function earlyTokens(length: number, k: number): number {
  return Math.min(k, Math.max(1, length - 1), length);
}
