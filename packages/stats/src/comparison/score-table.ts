/**
 * Per-item scores of several methods on several metrics, and the JSON file that holds them.
 *
 * ```json
 * {
 *   "format": "latentwire-results/1",
 *   "baseline": "text_only",
 *   "metrics": { "nll": { "higherIsBetter": false, "smallestEffect": 0.01 } },
 *   "methods": {
 *     "text_only": {
 *       "f1": { "items": ["q1", "q2"], "clusters": ["c1", "c1"], "seeds": [0, 0], "scores": [0.5, 1] },
 *       "em": [{ "item": "q1", "cluster": "c1", "seed": 0, "score": 0 }, { "item": "q2", "score": 1 }]
 *     }
 *   }
 * }
 * ```
 * `cells` may stand for `methods`. A metric is a record of columns or an array of rows; only the scores are required, an
 * item then goes by its position. `metrics` may be absent: higher is better.
 */
import { StatsError } from '../errors.js';
import { describe, finiteArray, grouping, type LabelArray, type NumericArray } from '../input/index.js';

/** Scores with the identity of each: the item, the cluster it belongs to, the training seed that produced it. */
export interface ScoredItems {
  readonly scores: NumericArray;
  readonly items?: LabelArray | undefined;
  readonly clusters?: LabelArray | undefined;
  readonly seeds?: LabelArray | undefined;
}

/** Bare scores go by position. */
export type Scores = NumericArray | ScoredItems;

export interface MetricInfo {
  /** Default true. */
  readonly higherIsBetter?: boolean | undefined;
  /** Smallest difference worth finding, in the units of the metric; default 0.2 standard deviations of the differences. */
  readonly smallestEffect?: number | undefined;
}

export interface ScoreTable {
  readonly baseline: string;
  /** method → metric → scores */
  readonly methods: Readonly<Record<string, Readonly<Record<string, Scores>>>>;
  readonly metrics?: Readonly<Record<string, MetricInfo>> | undefined;
}

export const RESULTS_FORMAT = 'latentwire-results/1';

/**
 * Reads the JSON layout above. `baseline` overrides the one in the file.
 * @throws {StatsError} naming the place (`methods.text_only.f1.scores[12]`) of whatever is wrong
 */
export function parseScoreTable(json: unknown, baseline?: string): ScoreTable {
  const root = record(json, 'results');
  const format = root.format;
  if (format !== undefined && format !== RESULTS_FORMAT) {
    throw new StatsError(`expected '${RESULTS_FORMAT}', got ${describe(format)}`, { argument: 'format' });
  }
  const place = root.methods !== undefined ? 'methods' : 'cells';
  if (root[place] === undefined) {
    throw new StatsError("expected 'methods' (or 'cells'): method → metric → scores, got neither", {
      argument: 'results',
      hint: 'docs/STATISTICS.md shows the layout.',
    });
  }
  const methods: Record<string, Record<string, ScoredItems>> = {};
  for (const [method, metrics] of Object.entries(record(root[place], place))) {
    methods[method] = {};
    for (const [metric, scores] of Object.entries(record(metrics, `${place}.${method}`))) {
      methods[method][metric] = readScores(scores, `${place}.${method}.${metric}`);
    }
  }
  const chosen = baseline ?? root.baseline;
  if (typeof chosen !== 'string' || !(chosen in methods)) {
    throw new StatsError(
      `expected the name of a method (${Object.keys(methods).join(', ') || 'there is none'}), got ${describe(chosen)}`,
      { argument: 'baseline' },
    );
  }
  return { baseline: chosen, methods, metrics: readMetrics(root.metrics) };
}

function readScores(value: unknown, argument: string): ScoredItems {
  if (!Array.isArray(value)) {
    const columns = record(value, argument);
    if (columns.scores === undefined) throw new StatsError("expected 'scores'", { argument });
    return {
      scores: columns.scores as NumericArray,
      items: columns.items as LabelArray | undefined,
      clusters: columns.clusters as LabelArray | undefined,
      seeds: columns.seeds as LabelArray | undefined,
    };
  }
  if (value.every((entry) => typeof entry === 'number')) return { scores: value };
  const rows = value.map((entry, i) => record(entry, `${argument}[${i}]`));
  const column = (name: string): LabelArray | undefined => {
    const values = rows.map((row) => row[name]);
    if (values.every((entry) => entry === undefined)) return undefined;
    return values as LabelArray;
  };
  return {
    scores: rows.map((row) => row.score) as number[],
    items: column('item'),
    clusters: column('cluster'),
    seeds: column('seed'),
  };
}

function readMetrics(value: unknown): Record<string, MetricInfo> {
  if (value === undefined) return {};
  const metrics: Record<string, MetricInfo> = {};
  for (const [name, entry] of Object.entries(record(value, 'metrics'))) {
    const info = record(entry, `metrics.${name}`);
    const { higherIsBetter, smallestEffect } = info;
    if (higherIsBetter !== undefined && typeof higherIsBetter !== 'boolean') {
      throw new StatsError(`expected true or false, got ${describe(higherIsBetter)}`, {
        argument: `metrics.${name}.higherIsBetter`,
      });
    }
    if (smallestEffect !== undefined && !(typeof smallestEffect === 'number' && smallestEffect > 0)) {
      throw new StatsError(`expected a positive number, got ${describe(smallestEffect)}`, {
        argument: `metrics.${name}.smallestEffect`,
      });
    }
    metrics[name] = { higherIsBetter, smallestEffect };
  }
  return metrics;
}

function record(value: unknown, argument: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StatsError(`expected an object, got ${describe(value)}`, { argument });
  }
  return value as Record<string, unknown>;
}

/** Scores of one method on one metric as a seeds × items matrix over items that every seed has. */
export interface ScoreMatrix {
  /** Item names, in order of first appearance. */
  readonly items: readonly (string | number)[];
  /** Cluster of each item, or undefined when none was given. */
  readonly clusters: readonly (string | number)[] | undefined;
  readonly rows: readonly Float64Array[];
  /** Items some seed lacks, left out. */
  readonly incomplete: number;
}

/** @throws {StatsError} for a duplicate (item, seed), an item in two clusters, or labels of another length */
export function scoreMatrix(data: Scores, argument: string): ScoreMatrix {
  const scored: ScoredItems = isScored(data) ? data : { scores: data };
  const place = isScored(data) ? `${argument}.scores` : argument;
  const scores = finiteArray(scored.scores, place, 2);
  const n = scores.length;
  const seeds = scored.seeds === undefined ? undefined : grouping(scored.seeds, n, `${argument}.seeds`);
  const seedCount = seeds?.count ?? 1;
  const items =
    scored.items === undefined
      ? positions(seeds?.codes, n, seedCount)
      : grouping(scored.items, n, `${argument}.items`);
  const rows = Array.from({ length: seedCount }, () => new Float64Array(items.count).fill(Number.NaN));
  const clusterNames = scored.clusters;
  if (clusterNames !== undefined) grouping(clusterNames, n, `${argument}.clusters`);
  const clusters = new Array<string | number | undefined>(items.count);
  for (let i = 0; i < n; i++) {
    const item = items.codes[i]!;
    const row = rows[seeds?.codes[i] ?? 0]!;
    if (!Number.isNaN(row[item])) {
      const seed = seeds === undefined ? '' : ` of seed ${String(seeds.names[seeds.codes[i]!])}`;
      throw new StatsError(`expected one score for item ${String(items.names[item])}${seed}, got a second`, {
        argument: `${argument}.items`,
        index: i,
      });
    }
    row[item] = scores[i]!;
    if (clusterNames === undefined) continue;
    const cluster = clusterNames[i]!;
    if (clusters[item] !== undefined && clusters[item] !== cluster) {
      throw new StatsError(
        `expected item ${String(items.names[item])} in one cluster, got ${String(clusters[item])} and ${String(cluster)}`,
        { argument: `${argument}.clusters`, index: i },
      );
    }
    clusters[item] = cluster;
  }
  const complete = items.names.map((_, item) => rows.every((row) => !Number.isNaN(row[item])));
  const keep = <T>(values: readonly T[]): T[] => values.filter((_, item) => complete[item]);
  return {
    items: keep(items.names),
    clusters: clusterNames === undefined ? undefined : keep(clusters as (string | number)[]),
    rows: rows.map((row) => row.filter((_, item) => complete[item])),
    incomplete: complete.filter((whole) => !whole).length,
  };
}

/** Items by position: the k-th score of each seed is item k. */
function positions(
  seedCodes: Int32Array | undefined,
  n: number,
  seedCount: number,
): { codes: Int32Array; count: number; names: number[] } {
  const next = new Int32Array(seedCount);
  const codes = Int32Array.from({ length: n }, (_, i) => next[seedCodes?.[i] ?? 0]!++);
  const count = next.reduce((most, value) => Math.max(most, value), 0);
  return { codes, count, names: Array.from({ length: count }, (_, k) => k) };
}

function isScored(data: Scores): data is ScoredItems {
  return typeof data === 'object' && data !== null && 'scores' in data;
}
