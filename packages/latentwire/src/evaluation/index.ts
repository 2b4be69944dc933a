/** Free-generation evaluation and scoring. */
export { type AnswerAllOptions, type AnswerAllResult, answerAll } from './answer-all.js';
export { answerBatch, type BatchAnswers, type BatchRequest } from './answer-batch.js';
export { type AnswerSource, type LatentInputs, latentSource, pick, sourceBatches } from './answer-source.js';
export { type TextSizes, textSizes } from './compression.js';
export { evaluateRows, type RowEvaluationOptions, type RowScores, type ScoredAnswer } from './evaluate.js';
export { cleanAnswer, type GenerationRequest, generateTokens } from './generate-answers.js';
export { type InspectReport, type InspectRequest, inspectModel } from './inspect-model.js';
export { type JointAnswer, jointAnswers, jointName } from './joint-rescoring.js';
export { type LatencyOptions, measureLatency } from './latency.js';
export { answerLikelihoods, type Likelihood } from './likelihood.js';
export * from './scoring/index.js';
export { type SummaryInputs, summarise } from './summarise.js';
