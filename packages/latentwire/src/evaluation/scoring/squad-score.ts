/**
 * Official SQuAD exact match and F1 with all gold answers (maximum over golds).
 *
 * v1.1: evaluate-v1.1.py of Rajpurkar et al. 2016. v2.0: evaluate-v2.0.py of Rajpurkar et al. 2018, without its
 * optional no-answer threshold. They differ where a side has no words left: v1.1 gives F1 0 (exact match may
 * still be 1), v2.0 gives 1 when both sides are empty. Sums run in dataset order in float64, like the scripts.
 *
 * A missing prediction scores 0 and is counted in the total: what v1.1 does. The v2.0 script has no result in
 * that case (it drops the question from the total and then stops with a KeyError).
 */
import type { SquadVersion } from '../../data/index.js';
import { LatentWireError } from '../../errors.js';
import { answerTokens } from './normalize.js';

/** What scoring needs to know of an example. */
export interface GoldAnswers {
  readonly id: string;
  /** Empty: the question has no answer (v2.0 only). */
  readonly answers: readonly string[];
}

export interface AnswerScore {
  readonly exactMatch: 0 | 1;
  /** In [0, 1]. */
  readonly f1: number;
}

export interface ScoreSummary {
  /** Percent, 0–100. */
  readonly exactMatch: number;
  /** Percent, 0–100. */
  readonly f1: number;
  /** Number of questions, missing predictions included. */
  readonly total: number;
}

export interface SquadScore extends ScoreSummary {
  /** Ids without a prediction, in dataset order; each scored 0. */
  readonly missing: readonly string[];
  /** Score of each question in dataset order (0 where missing). */
  readonly perQuestion: readonly AnswerScore[];
  /** v2.0 only: the two halves; undefined where a half has no question. */
  readonly answerable?: ScoreSummary;
  readonly unanswerable?: ScoreSummary;
}

const ZERO: AnswerScore = { exactMatch: 0, f1: 0 };

/**
 * Scores `predictions` (id → answer text) against every question of `examples`.
 * Predictions for other ids are ignored, as in the scripts.
 * @throws LatentWireError `input` when `examples` is empty.
 */
export function scoreSquad(
  examples: readonly GoldAnswers[],
  predictions: ReadonlyMap<string, string>,
  version: SquadVersion = '1.1',
): SquadScore {
  if (examples.length === 0) {
    throw new LatentWireError('expected at least one question to score, got none', { code: 'input' });
  }
  const missing: string[] = [];
  const perQuestion = examples.map(({ id, answers }) => {
    const prediction = predictions.get(id);
    if (prediction === undefined) {
      missing.push(id);
      return ZERO;
    }
    return scoreAnswer(prediction, answers, version);
  });
  const overall = { ...summarize(perQuestion), missing, perQuestion };
  if (version === '1.1') return overall;
  const answerable = perQuestion.filter((_, i) => examples[i]!.answers.length > 0);
  const unanswerable = perQuestion.filter((_, i) => examples[i]!.answers.length === 0);
  return {
    ...overall,
    ...(answerable.length > 0 && { answerable: summarize(answerable) }),
    ...(unanswerable.length > 0 && { unanswerable: summarize(unanswerable) }),
  };
}

/**
 * Best score of one prediction over all golds.
 * @param answers gold texts; for v2.0 an empty list means "no answer", which the empty prediction gets right.
 */
export function scoreAnswer(
  prediction: string,
  answers: readonly string[],
  version: SquadVersion = '1.1',
): AnswerScore {
  const predicted = answerTokens(prediction);
  let golds = answers.map(answerTokens);
  if (version === '2.0') {
    // Golds that normalise to nothing are dropped; no gold left means the question has no answer.
    golds = golds.filter((gold) => gold.length > 0);
    if (golds.length === 0) golds = [[]];
  }
  let exactMatch: 0 | 1 = 0;
  let f1 = 0;
  for (const gold of golds) {
    if (predicted.join(' ') === gold.join(' ')) exactMatch = 1;
    f1 = Math.max(f1, tokenF1(predicted, gold, version));
  }
  return { exactMatch, f1 };
}

/** F1 of two word multisets, in [0, 1]: 2PR / (P + R) with P, R the shared words over the words of each side. */
function tokenF1(predicted: readonly string[], gold: readonly string[], version: SquadVersion): number {
  if (version === '2.0' && (predicted.length === 0 || gold.length === 0)) {
    return predicted.length === gold.length ? 1 : 0;
  }
  const left = new Map<string, number>();
  for (const word of gold) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of predicted) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    shared += 1;
  }
  if (shared === 0) return 0;
  const precision = shared / predicted.length;
  const recall = shared / gold.length;
  return (2 * precision * recall) / (precision + recall);
}

function summarize(scores: readonly AnswerScore[]): ScoreSummary {
  let exact = 0;
  let f1 = 0;
  for (const score of scores) {
    exact += score.exactMatch;
    f1 += score.f1;
  }
  const total = scores.length;
  return { exactMatch: (100 * exact) / total, f1: (100 * f1) / total, total };
}
