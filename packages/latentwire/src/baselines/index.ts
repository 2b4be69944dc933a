/** Baselines and controls through the same evaluator as the wire. */
export {
  type BaselineInputs,
  type BaselineRows,
  type BudgetMode,
  baselineRows,
  type GenerativeBaseline,
  generativeBaselines,
} from './baseline.js';
export { shuffledPartners } from './shuffled-latents.js';
export { type TextBaseline, textBaselineRows, textBaselines } from './text-baselines.js';
