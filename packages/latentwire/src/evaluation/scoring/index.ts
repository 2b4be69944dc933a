/** Official answer scores. */
export { normalizeAnswer } from './normalize.js';
export { readPredictions } from './predictions-file.js';
export {
  type AnswerScore,
  type GoldAnswers,
  type ScoreSummary,
  type SquadScore,
  scoreAnswer,
  scoreSquad,
} from './squad-score.js';
