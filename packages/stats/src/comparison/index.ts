/** Methods against a baseline. */
export {
  type Comparison,
  type ComparisonOptions,
  compareScores,
  compareToBaseline,
  describeNeeds,
  type MethodComparison,
  type ScoreSummary,
} from './compare.js';
export type { ComparisonTest, PairComparison } from './pair.js';
export {
  type MetricInfo,
  parseScoreTable,
  RESULTS_FORMAT,
  type ScoredItems,
  type Scores,
  type ScoreTable,
} from './score-table.js';
export type { Needs, PowerSummary, Verdict } from './verdict.js';
