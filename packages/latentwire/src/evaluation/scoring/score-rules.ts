/** One prediction against its gold answers, by the rules of its task. */
import type { Scoring } from '../../data/index.js';
import { normalizeAnswer } from './normalize.js';
import { type AnswerScore, scoreAnswer } from './squad-score.js';

export type Scorer = (prediction: string, answers: readonly string[]) => AnswerScore;

/** The judge of a task; every judge takes the best score over all golds. */
export function scorerOf(scoring: Scoring): Scorer {
  switch (scoring.kind) {
    case 'squad':
      return (prediction, answers) => scoreAnswer(prediction, answers, scoring.version);
    case 'hotpot':
      return scoreHotpot;
    case 'label':
      return (prediction, answers) => {
        const given = normalizeAnswer(prediction);
        return exact(answers.some((label) => normalizeAnswer(label) === given));
      };
    case 'final-number':
      return (prediction, answers) => {
        const given = finalNumber(prediction);
        return exact(given !== null && answers.some((answer) => finalNumber(answer) === given));
      };
  }
}

// hotpot_evaluate_v1.py: these score by equality alone, so that "yes, he did" is no half of a "yes".
const CLOSED = new Set(['yes', 'no', 'noanswer']);

/** HotpotQA answer scores (Yang et al. 2018, hotpot_evaluate_v1.py `f1_score`). */
function scoreHotpot(prediction: string, answers: readonly string[]): AnswerScore {
  let exactMatch: 0 | 1 = 0;
  let f1 = 0;
  const given = normalizeAnswer(prediction);
  for (const answer of answers) {
    const gold = normalizeAnswer(answer);
    if (given === gold) exactMatch = 1;
    if (given !== gold && (CLOSED.has(given) || CLOSED.has(gold))) continue;
    f1 = Math.max(f1, scoreAnswer(prediction, [answer], '1.1').f1);
  }
  return { exactMatch, f1 };
}

const NUMBER = /-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)/g;

/**
 * The final number of a worked answer: the one behind the last "####", else the last one of the text; null when there is
 * none. Thousands separators and trailing zeros do not count ("1,200.0" is 1200).
 */
export function finalNumber(text: string): number | null {
  const mark = text.lastIndexOf('####');
  const marked = mark < 0 ? undefined : text.slice(mark + 4).match(NUMBER)?.[0];
  const last = marked ?? text.match(NUMBER)?.at(-1);
  if (last === undefined) return null;
  const value = Number(last.replaceAll(',', ''));
  return Number.isFinite(value) ? value : null;
}

function exact(same: boolean): AnswerScore {
  return same ? { exactMatch: 1, f1: 1 } : { exactMatch: 0, f1: 0 };
}
