/** What training minimises. */
export { answerLoss, answerStates, targetLosses } from './answer-loss.js';
