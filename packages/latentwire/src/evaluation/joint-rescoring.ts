/**
 * Joint rescoring: several models read the same message and answer; each then says how likely it finds every one of the
 * answers, and the answer with the highest sum over models of log p per token is taken. No gold answer is involved.
 */
import * as t from '@latentwire/torch';
import { answerTokens } from '../wire/index.js';
import { type AnswerSource, pick } from './answer-source.js';
import { answerLikelihoods } from './likelihood.js';
import { normalizeAnswer } from './scoring/index.js';

export interface JointAnswer {
  readonly prediction: string;
  /** Per model's own answer: Σ over models of mean log p per token, stop token included. All 0 when all agree. */
  readonly scores: readonly number[];
}

/** Name of the models together, as rows and metrics carry it. */
export function jointName(sources: readonly AnswerSource[]): string {
  return sources.map(({ reader }) => reader.name).join('+');
}

/**
 * @param sources one per model, same mode, same questions
 * @param indices questions
 * @param candidate the answer that a model gave to a question
 */
export async function jointAnswers(
  sources: readonly AnswerSource[],
  indices: readonly number[],
  candidate: (source: number, index: number) => string,
): Promise<JointAnswer[]> {
  const candidates = indices.map((i) => sources.map((_, s) => candidate(s, i)));
  const disputed = indices.flatMap((_, k) =>
    candidates[k]!.every((text) => normalizeAnswer(text) === normalizeAnswer(candidates[k]![0]!)) ? [] : [k],
  );
  const totals = candidates.map((texts) => texts.map(() => 0));
  for (const source of sources) {
    for (const [c] of sources.entries()) {
      const scores = await normalisedScores(
        source,
        disputed.map((k) => indices[k]!),
        disputed.map((k) => candidates[k]![c]!),
      );
      disputed.forEach((k, d) => {
        totals[k]![c]! += scores[d]!;
      });
    }
  }
  return candidates.map((texts, k) => {
    const scores = totals[k]!;
    // The first of equals, so that the result does not depend on the order of evaluation.
    const best = scores.indexOf(Math.max(...scores));
    return { prediction: texts[best]!, scores };
  });
}

/** Mean log p per token of one text per question. */
async function normalisedScores(
  source: AnswerSource,
  indices: readonly number[],
  texts: readonly string[],
): Promise<number[]> {
  if (indices.length === 0) return [];
  const targets = await answerTokens(source.reader, texts, Number.MAX_SAFE_INTEGER);
  const likelihoods = t.scope(() =>
    t.noGrad(() =>
      answerLikelihoods(
        source.reader,
        indices.map((i) => source.rows[i]!),
        targets,
        pick(source.latents, indices),
        source.prefix?.(indices) ?? null,
      ),
    ),
  );
  return likelihoods.map(({ nll, tokens }) => -nll / tokens);
}
