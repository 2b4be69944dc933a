/** Training and evaluation of runs. */
export { evaluateSaved, type TrainIo, type TrainReport, train } from './train.js';
