/** Baselines and controls through the same evaluator as the wire. */
export {
  type BaselineInputs,
  type BaselineRows,
  type BudgetMode,
  baselineRows,
  type GenerativeBaseline,
  generativeBaselines,
} from './baseline.js';
export { linearProbe, type ProbeOptions, type ProbeResult } from './linear-probe/index.js';
export { shuffledPartners } from './shuffled-latents.js';
