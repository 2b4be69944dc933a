/** Midranks with ties to rounding, for the rank tests. */

export interface Ranking {
  /** Average rank of each value, from 1. */
  readonly ranks: Float64Array;
  /** Sizes of groups of equal values larger than one. */
  readonly ties: readonly number[];
}

/**
 * Values within 1e-12 of the largest magnitude count as equal: 0.3 − 0.2 and 0.2 − 0.1 are one tie, not two ranks
 * decided by rounding.
 */
export function midranks(values: Float64Array): Ranking {
  const n = values.length;
  const order = Array.from(values, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const tolerance = 1e-12 * values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const ranks = new Float64Array(n);
  const ties: number[] = [];
  for (let start = 0; start < n; ) {
    let end = start + 1;
    while (end < n && values[order[end]!]! - values[order[end - 1]!]! <= tolerance) end++;
    for (let k = start; k < end; k++) ranks[order[k]!] = (start + 1 + end) / 2;
    if (end - start > 1) ties.push(end - start);
    start = end;
  }
  return { ranks, ties };
}

/** Σ (t³ − t) over tied groups. */
export function tieCorrection(ties: readonly number[]): number {
  return ties.reduce((sum, t) => sum + t ** 3 - t, 0);
}
