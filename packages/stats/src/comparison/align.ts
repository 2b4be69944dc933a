/**
 * Pairs a method with the baseline by item. Items that one side lacks are left out and counted, never filled in.
 */
import { StatsError, type Warning } from '../errors.js';
import { averageRows } from '../multiseed/index.js';
import type { ScoreMatrix } from './score-table.js';

/** One metric of the baseline and of one method over the items both have. */
export interface AlignedPair {
  readonly baselineRows: readonly Float64Array[];
  readonly methodRows: readonly Float64Array[];
  /** Mean over seeds of each item. */
  readonly baseline: Float64Array;
  readonly method: Float64Array;
  /** Cluster of each item, 0 … units−1; the item itself without clusters. */
  readonly unitOf: Int32Array;
  readonly units: number;
  readonly clustered: boolean;
  /** Pairs with equal keys have the same items in the same order and can share resamples. */
  readonly key: string;
  readonly warnings: readonly Warning[];
}

export function alignPair(baseline: ScoreMatrix, method: ScoreMatrix, name: string): AlignedPair {
  const indexOf = new Map(method.items.map((item, i) => [item, i]));
  const common: [number, number][] = [];
  baseline.items.forEach((item, i) => {
    const j = indexOf.get(item);
    if (j !== undefined) common.push([i, j]);
  });
  if (common.length < 2) {
    throw new StatsError(`expected at least 2 items in common with the baseline, got ${common.length}`, {
      argument: name,
      hint: 'Both must use the same item ids.',
    });
  }
  const warnings: Warning[] = [];
  const dropped =
    baseline.items.length + method.items.length - 2 * common.length + baseline.incomplete + method.incomplete;
  if (dropped > 0) {
    warnings.push({
      code: 'unpaired-items',
      message: `${dropped} items are missing on one side or for some seed and were left out; ${common.length} remain.`,
    });
  }
  const pick = (rows: readonly Float64Array[], side: 0 | 1): Float64Array[] =>
    rows.map((row) => Float64Array.from(common, (pair) => row[pair[side]]!));
  const baselineRows = pick(baseline.rows, 0);
  const methodRows = pick(method.rows, 1);
  const clusters = clustersOf(baseline, method, common, name);
  const whole = common.length === baseline.items.length;
  return {
    baselineRows,
    methodRows,
    baseline: averageRows(baselineRows),
    method: averageRows(methodRows),
    ...clusters,
    key:
      whole && clusters.clustered === (baseline.clusters !== undefined) ? itemKey(baseline) : `only ${name}`,
    warnings,
  };
}

/** The clusters both sides agree on; either side may leave them to the other. */
function clustersOf(
  baseline: ScoreMatrix,
  method: ScoreMatrix,
  common: readonly [number, number][],
  name: string,
): { unitOf: Int32Array; units: number; clustered: boolean } {
  if (baseline.clusters === undefined && method.clusters === undefined) {
    return { unitOf: Int32Array.from(common, (_, i) => i), units: common.length, clustered: false };
  }
  const codes = new Map<string | number, number>();
  const unitOf = Int32Array.from(common, ([i, j]) => {
    const first = baseline.clusters?.[i];
    const second = method.clusters?.[j];
    if (first !== undefined && second !== undefined && first !== second) {
      throw new StatsError(
        `expected item ${String(baseline.items[i])} in the baseline's cluster ${String(first)}, got ${String(second)}`,
        { argument: `${name}.clusters`, index: j },
      );
    }
    const cluster = (first ?? second)!;
    let code = codes.get(cluster);
    if (code === undefined) {
      code = codes.size;
      codes.set(cluster, code);
    }
    return code;
  });
  if (codes.size < 2) {
    throw new StatsError('expected at least 2 clusters, got 1', {
      argument: `${name}.clusters`,
      hint: 'items of one cluster (questions on one text) are one observation: score items of more clusters',
    });
  }
  return { unitOf, units: codes.size, clustered: true };
}

const keys = new WeakMap<ScoreMatrix, string>();

/** Item names in order, with their clusters, as one string; made once per matrix. */
function itemKey(matrix: ScoreMatrix): string {
  let key = keys.get(matrix);
  if (key === undefined) {
    key = JSON.stringify([matrix.items, matrix.clusters ?? null]);
    keys.set(matrix, key);
  }
  return key;
}
