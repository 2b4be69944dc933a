/** What training minimises. */
export { alignmentLoss } from './alignment-loss.js';
export { answerLoss, answerStates, targetLosses } from './answer-loss.js';
