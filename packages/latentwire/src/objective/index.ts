/** What training minimises. */
export { type AlignmentTarget, alignmentLoss } from './alignment-loss.js';
export { answerLoss, answerStates, targetLosses } from './answer-loss.js';
export {
  type AnswerCounts,
  type AnswerObjective,
  type AnswerTermName,
  type AnswerTerms,
  type AnswerWeights,
  answerTermNames,
  answerTerms,
  earlyTokens,
} from './answer-terms.js';
export { distillationLoss, type TeacherDistributions } from './distillation-loss.js';
export { type EmbeddingStatistics, embeddingStatistics, manifoldLoss } from './manifold-loss.js';
export { pooledEmbeddings } from './pooled-embeddings.js';
export { piecewiseLoss, readingLoss } from './reading-loss.js';
export * from './teacher-cache/index.js';
