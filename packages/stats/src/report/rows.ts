/** A comparison as rows of cells: what every table writer prints. */
import type { Comparison, MethodComparison, ScoreSummary } from '../comparison/index.js';
import { formatInterval, formatPValue } from './format.js';

export interface ReportRow {
  readonly method: string;
  readonly mean: string;
  readonly difference: string;
  readonly effect: string;
  readonly p: string;
  readonly adjusted: string;
  readonly verdict: string;
  readonly comparison?: MethodComparison;
}

export interface MetricBlock {
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly size: string;
  readonly rows: readonly ReportRow[];
}

export function metricBlocks(comparison: Comparison): MetricBlock[] {
  return comparison.metrics.map((metric) => {
    const own = comparison.baselineScores[metric]!;
    const methods = comparison.comparisons.filter((entry) => entry.metric === metric);
    return {
      metric,
      higherIsBetter: methods[0]?.higherIsBetter ?? true,
      size: describeSize(own),
      rows: [baselineRow(comparison.baseline, own), ...methods.map(methodRow)],
    };
  });
}

/** What was done, in one sentence for the foot of a table. */
export function methodSentence(comparison: Comparison): string {
  const percent = Number((100 * comparison.confidence).toFixed(3));
  const tests = [...new Set(comparison.comparisons.map((entry) => entry.test))].join('; ');
  return (
    `${percent} % intervals: BCa bootstrap, ${comparison.resamples} resamples, seed ${comparison.seed}. ` +
    `Tests: ${tests}. p-values corrected by ${comparison.correction} over ${comparison.family === 'all' ? 'all tests of this report' : 'the methods of each metric'}; ` +
    `alpha ${comparison.alpha}.`
  );
}

/** Every warning once, with the comparisons it concerns. */
export function collectWarnings(comparison: Comparison): string[] {
  const places = new Map<string, string[]>();
  for (const { message } of comparison.warnings) places.set(message, []);
  for (const { method, metric, warnings } of comparison.comparisons) {
    for (const { message } of warnings) {
      const where = places.get(message);
      if (where === undefined) places.set(message, [`${method}/${metric}`]);
      else where.push(`${method}/${metric}`);
    }
  }
  return [...places].map(([message, where]) => {
    if (where.length === 0) return message;
    const shown = where.slice(0, 4).join(', ');
    return `${message} (${shown}${where.length > 4 ? ` and ${where.length - 4} more` : ''})`;
  });
}

function describeSize({ n, clusters, seeds }: ScoreSummary): string {
  const parts = [`${n} items`];
  if (clusters !== undefined) parts.push(`${clusters} clusters`);
  if (seeds > 1) parts.push(`${seeds} seeds`);
  return parts.join(', ');
}

function baselineRow(method: string, summary: ScoreSummary): ReportRow {
  return {
    method,
    mean: formatInterval(summary.mean, summary),
    difference: '',
    effect: '',
    p: '',
    adjusted: '',
    verdict: 'baseline',
  };
}

function methodRow(entry: MethodComparison): ReportRow {
  return {
    method: entry.method,
    mean: formatInterval(entry.mean, entry.meanCi),
    difference: formatInterval(entry.difference, entry.ci, 3, true),
    effect: formatInterval(entry.effectSize.d, entry.effectSize.ci, 2, true),
    p: formatPValue(entry.pValue),
    adjusted: formatPValue(entry.adjustedPValue),
    verdict: entry.verdict,
    comparison: entry,
  };
}
