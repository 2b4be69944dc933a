/** Official answer scores. */
export { macroF1 } from './macro-f1.js';
export { normalizeAnswer } from './normalize.js';
export { readPredictions } from './predictions-file.js';
export { finalNumber, type Scorer, scorerOf } from './score-rules.js';
export {
  type AnswerScore,
  type GoldAnswers,
  type ScoreSummary,
  type SquadScore,
  scoreAnswer,
  scoreSquad,
} from './squad-score.js';
