/** Baselines through the same evaluator as the wire. */
export { type TextBaseline, textBaselineRows, textBaselines } from './text-baselines.js';
