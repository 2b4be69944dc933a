/** What training minimises. */
export { alignmentLoss } from './alignment-loss.js';
export { answerLoss, answerStates, targetLosses } from './answer-loss.js';
export { pooledEmbeddings } from './pooled-embeddings.js';
