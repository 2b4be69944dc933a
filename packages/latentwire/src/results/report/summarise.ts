/**
 * The methods of a results document as a report shows them: means with intervals over seeds and questions, and
 * comparisons corrected together. All statistics are those of @latentwire/stats.
 */
import {
  adjustPValues,
  bootstrapCI,
  type Comparison,
  compareScores,
  hierarchicalBootstrap,
  type MethodComparison,
} from '@latentwire/stats';
import type { Group, MethodColumns, Reference, ResultsDocument } from '../aggregate/index.js';

export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface MethodSummary {
  /** Name in the document. */
  readonly method: string;
  readonly mode: string;
  readonly model: string;
  /** The cell it belongs to; undefined for a reference. */
  readonly group: Group | undefined;
  readonly reference: Reference | undefined;
  readonly questions: number;
  readonly seeds: number;
  /** In [0, 1]. */
  readonly f1: Interval;
  readonly em: number;
  /** Nats per token of the gold answer, mean over questions. */
  readonly nll: number | undefined;
  /** Times fewer positions than the text has tokens. */
  readonly tokenRatio: number | undefined;
  /** Times fewer bytes than the text in UTF-8. */
  readonly byteRatio: number | undefined;
  readonly runs: readonly string[];
}

export interface StatisticsOptions {
  readonly resamples?: number | undefined;
}

export const DEFAULT_RESAMPLES = 10_000;

/** Every method that has an F1, in the order of the document. */
export function summariseMethods(
  document: ResultsDocument,
  options: StatisticsOptions = {},
): MethodSummary[] {
  const owners = new Map<string, { key: string; group: Group }>();
  for (const group of document.groups) {
    for (const [key, method] of Object.entries(group.methods)) owners.set(method, { key, group });
  }
  return Object.entries(document.methods).flatMap(([method, columns]): MethodSummary[] => {
    const f1 = columns.f1;
    if (f1 === undefined || f1.scores.length === 0) return [];
    const owner = owners.get(method);
    const reference = document.references.find((candidate) => candidate.method === method);
    if (owner === undefined && reference === undefined) return [];
    const [mode = '', model = ''] = owner?.key.split('/') ?? [reference!.mode, reference!.model];
    const ratio = (name: string): number | undefined =>
      owner === undefined
        ? reference!.measures[`ratios/${name}`]
        : owner.group.measures[`${owner.key}/ratios/${name}`]?.mean;
    return [
      {
        method,
        mode,
        model,
        group: owner?.group,
        reference,
        questions: new Set(f1.items).size,
        seeds: new Set(f1.seeds).size,
        f1: intervalOf(f1, options.resamples ?? DEFAULT_RESAMPLES),
        em: meanOf(columns.em),
        nll: columns.nll === undefined ? undefined : meanOf(columns.nll),
        tokenRatio:
          mode === 'text'
            ? 1
            : mode === 'no_context'
              ? undefined
              : (ratio('tokens') ?? budgetRatio(document, model, reference, owner?.group)),
        byteRatio: mode === 'text' ? 1 : ratio('utf8'),
        runs: owner?.group.runs ?? [reference!.run],
      },
    ];
  });
}

/** Runs of an earlier version give context tokens and M, not the ratio. */
function budgetRatio(
  document: ResultsDocument,
  model: string,
  reference: Reference | undefined,
  group: Group | undefined,
): number | undefined {
  if (group !== undefined) return group.measures.token_compression?.mean;
  const positions = reference?.measures.context_positions;
  const whole = document.references.find((other) => other.mode === 'text' && other.model === model)?.measures
    .context_positions;
  return positions === undefined || whole === undefined || positions === 0 ? undefined : whole / positions;
}

function meanOf(columns: MethodColumns | undefined): number {
  if (columns === undefined) return Number.NaN;
  return columns.scores.reduce((a, b) => a + b, 0) / columns.scores.length;
}

/** Over questions (clustered by context) and, with several, over seeds. */
function intervalOf(columns: MethodColumns, resamples: number): Interval {
  const { rows, clusters } = matrixOf(columns);
  const mean = meanOf(columns);
  if ((rows[0]?.length ?? 0) < 2) return { mean, low: Number.NaN, high: Number.NaN };
  if (rows.length === 1) {
    const { low, high } = bootstrapCI(rows[0]!, { resamples, ...(clusters !== undefined && { clusters }) });
    return { mean, low, high };
  }
  const { low, high } = hierarchicalBootstrap(rows, {
    resamples,
    ...(clusters !== undefined && { clusters }),
  });
  return { mean, low: Math.max(0, low), high: Math.min(1, high) };
}

/** Seeds × items that every seed has. */
function matrixOf(columns: MethodColumns): { rows: number[][]; clusters: string[] | undefined } {
  const seeds = [...new Set(columns.seeds)];
  const bySeed = new Map(seeds.map((seed) => [seed, new Map<string, number>()]));
  const clusterOf = new Map<string, string>();
  for (const [i, item] of columns.items.entries()) {
    bySeed.get(columns.seeds[i]!)!.set(item, columns.scores[i]!);
    if (columns.clusters !== undefined) clusterOf.set(item, columns.clusters[i]!);
  }
  const maps = [...bySeed.values()];
  const items = [...maps[0]!.keys()].filter((item) => maps.every((map) => map.has(item)));
  const clusters = items.map((item) => clusterOf.get(item));
  return {
    rows: maps.map((map) => items.map((item) => map.get(item)!)),
    clusters:
      columns.clusters === undefined || new Set(clusters).size < 2 ? undefined : (clusters as string[]),
  };
}

/** One method against another on F1. */
export interface Contrast {
  readonly method: string;
  readonly against: string;
  readonly comparison: MethodComparison;
  /** Corrected over all contrasts of the family (Holm). */
  readonly adjustedPValue: number;
  readonly significant: boolean;
}

/** Compares pairs and corrects over all of them together; pairs that share no questions are left out. */
export function contrastFamily(
  document: ResultsDocument,
  pairs: readonly { readonly method: string; readonly against: string }[],
  options: StatisticsOptions = {},
): Contrast[] {
  const found: Omit<Contrast, 'adjustedPValue' | 'significant'>[] = [];
  for (const against of new Set(pairs.map((pair) => pair.against))) {
    const names = pairs.filter((pair) => pair.against === against).map(({ method }) => method);
    for (const entry of compared(document, against, names, options)) {
      found.push({ method: entry.method, against, comparison: entry });
    }
  }
  if (found.length === 0) return [];
  const { adjusted, reject } = adjustPValues(
    found.map(({ comparison }) => comparison.pValue),
    'holm',
  );
  return found.map((entry, i) => ({ ...entry, adjustedPValue: adjusted[i]!, significant: reject[i]! }));
}

function compared(
  document: ResultsDocument,
  against: string,
  names: readonly string[],
  options: StatisticsOptions,
): readonly MethodComparison[] {
  const own = document.methods[against]?.f1;
  if (own === undefined) return [];
  const items = new Set(own.items);
  const usable = names.filter((name) => {
    const columns = document.methods[name]?.f1;
    return (
      name !== against && columns !== undefined && columns.items.filter((item) => items.has(item)).length > 1
    );
  });
  if (usable.length === 0) return [];
  // Questions on one text alone are one observation: nothing can be told apart.
  const contexts = [own, ...usable.map((name) => document.methods[name]!.f1!)];
  if (contexts.some(({ clusters }) => clusters !== undefined && new Set(clusters).size < 2)) return [];
  // Where only some methods name the context of a question, no comparison uses it.
  const clustered = contexts.every(({ clusters }) => clusters !== undefined);
  const f1 = (name: string): { f1: MethodColumns } => {
    const { clusters, ...rest } = document.methods[name]!.f1!;
    return { f1: clustered && clusters !== undefined ? { ...rest, clusters } : rest };
  };
  const comparison: Comparison = compareScores(
    {
      baseline: against,
      methods: Object.fromEntries([against, ...usable].map((name) => [name, f1(name)])),
      metrics: { f1: { higherIsBetter: true } },
    },
    { resamples: options.resamples ?? DEFAULT_RESAMPLES },
  );
  return comparison.comparisons;
}
