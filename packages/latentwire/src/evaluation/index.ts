/** Free-generation evaluation and scoring. */
export {
  type EvaluationOptions,
  evaluateLatents,
  evaluateRows,
  type LatentInputs,
  type ModeResult,
  type ScoredAnswer,
} from './evaluate.js';
export { cleanAnswer, type GenerationRequest, generateAnswers } from './generate-answers.js';
export { type InspectReport, type InspectRequest, inspectModel } from './inspect-model.js';
export * from './scoring/index.js';
