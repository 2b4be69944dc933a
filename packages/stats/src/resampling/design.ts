/**
 * What is resampled: items, or whole clusters of items, within strata. A design turns data plus labels into
 * units (rows that are drawn together) and groups (samples whose statistic is taken), so that one engine serves
 * one-sample, paired and two-sample data alike.
 */
import { StatsError } from '../errors.js';
import {
  finiteArray,
  grouping,
  integerAtLeast,
  type LabelArray,
  type NumericArray,
  pairedArrays,
} from '../input/index.js';

/** One sample: its values and the unit each value belongs to. */
export interface Group {
  readonly values: Float64Array;
  readonly unitOf: Int32Array;
}

export interface Design {
  /** One group, or two whose difference (first − second) is meant. */
  readonly groups: readonly Group[];
  /** Units per stratum; units are numbered stratum by stratum. */
  readonly strata: Int32Array;
  readonly units: number;
  /** Units are clusters of items rather than items. */
  readonly clustered: boolean;
  readonly stratified: boolean;
  readonly kind: 'one-sample' | 'paired' | 'two-sample';
  /** Items per group, in argument order (paired data count once). */
  readonly n: readonly number[];
  /** Clusters per group in argument order; absent without clusters. */
  readonly clusters?: readonly number[];
}

/** Two samples: `paired` items in the same order, or independent. */
export interface TwoSamples {
  readonly a: NumericArray;
  readonly b: NumericArray;
  readonly paired: boolean;
}

/** Labels of one sample (or of pairs), or of each of two independent samples. */
export type Labels = LabelArray | { readonly a: LabelArray; readonly b: LabelArray };

export interface DesignLabels {
  readonly clusters?: Labels | undefined;
  readonly strata?: Labels | undefined;
}

export function makeDesign(data: NumericArray | TwoSamples, labels: DesignLabels): Design {
  if (!isTwoSamples(data)) return singleDesign([finiteArray(data, 'data', 2)], labels, 'one-sample');
  if (data.paired)
    return singleDesign(pairedArrays(data.a, data.b, 2, ['data.a', 'data.b']), labels, 'paired');
  return twoSampleDesign(finiteArray(data.a, 'data.a', 2), finiteArray(data.b, 'data.b', 2), labels);
}

/** Fewest units in any stratum: what the accuracy of resampling depends on. */
export function smallestStratum(design: Design): number {
  return design.strata.reduce((least, size) => Math.min(least, size), design.units);
}

export function requireResamples(resamples: number): number {
  integerAtLeast(resamples, 1, 'options.resamples');
  if (resamples > 100_000_000) {
    throw new StatsError(`expected at most 100000000, got ${resamples}`, { argument: 'options.resamples' });
  }
  return resamples;
}

function isTwoSamples(data: NumericArray | TwoSamples): data is TwoSamples {
  return typeof data === 'object' && data !== null && 'a' in data && 'b' in data;
}

function singleDesign(
  samples: readonly Float64Array[],
  labels: DesignLabels,
  kind: 'one-sample' | 'paired',
): Design {
  const n = samples[0]!.length;
  const { unitOf, strata } = numberUnits(
    n,
    plainLabels(labels.clusters, 'options.clusters'),
    plainLabels(labels.strata, 'options.strata'),
    '',
  );
  const units = strata.reduce((sum, size) => sum + size, 0);
  return {
    groups: samples.map((values) => ({ values, unitOf })),
    strata,
    units,
    clustered: labels.clusters !== undefined,
    stratified: labels.strata !== undefined,
    kind,
    n: [n],
    ...(labels.clusters === undefined ? {} : { clusters: [units] }),
  };
}

function twoSampleDesign(a: Float64Array, b: Float64Array, labels: DesignLabels): Design {
  const first = numberUnits(
    a.length,
    sideLabels(labels.clusters, 'a', 'options.clusters'),
    sideLabels(labels.strata, 'a', 'options.strata'),
    '.a',
  );
  const second = numberUnits(
    b.length,
    sideLabels(labels.clusters, 'b', 'options.clusters'),
    sideLabels(labels.strata, 'b', 'options.strata'),
    '.b',
  );
  const offset = first.strata.reduce((sum, size) => sum + size, 0);
  const strata = Int32Array.of(...first.strata, ...second.strata);
  const units = strata.reduce((sum, size) => sum + size, 0);
  return {
    groups: [
      { values: a, unitOf: first.unitOf },
      { values: b, unitOf: second.unitOf.map((unit) => unit + offset) },
    ],
    strata,
    units,
    clustered: labels.clusters !== undefined,
    stratified: labels.strata !== undefined,
    kind: 'two-sample',
    n: [a.length, b.length],
    ...(labels.clusters === undefined ? {} : { clusters: [offset, units - offset] }),
  };
}

function isSided(labels: Labels): labels is { readonly a: LabelArray; readonly b: LabelArray } {
  return typeof labels === 'object' && labels !== null && 'a' in labels;
}

function plainLabels(labels: Labels | undefined, argument: string): LabelArray | undefined {
  if (labels !== undefined && isSided(labels)) {
    throw new StatsError('expected one array of labels, got {a, b}', {
      argument,
      hint: 'Only independent samples have separate labels; pairs share theirs.',
    });
  }
  return labels;
}

function sideLabels(labels: Labels | undefined, side: 'a' | 'b', argument: string): LabelArray | undefined {
  if (labels === undefined) return undefined;
  if (!isSided(labels)) {
    throw new StatsError('expected {a: labels, b: labels} for two independent samples, got one array', {
      argument,
    });
  }
  return labels[side];
}

/** Numbers units stratum by stratum; a cluster must lie in one stratum. */
function numberUnits(
  n: number,
  clusterLabels: LabelArray | undefined,
  strataLabels: LabelArray | undefined,
  side: '' | '.a' | '.b',
): { unitOf: Int32Array; strata: Int32Array } {
  const clusters =
    clusterLabels === undefined
      ? { codes: Int32Array.from({ length: n }, (_, i) => i), count: n, names: [] }
      : grouping(clusterLabels, n, `options.clusters${side}`);
  if (clusters.count < 2) {
    throw new StatsError('expected at least 2 clusters, got 1', {
      argument: `options.clusters${side}`,
      hint: 'With one cluster nothing can be said about variation between clusters.',
    });
  }
  if (strataLabels === undefined) return { unitOf: clusters.codes, strata: Int32Array.of(clusters.count) };

  const strata = grouping(strataLabels, n, `options.strata${side}`);
  const stratumOf = new Int32Array(clusters.count).fill(-1);
  for (let i = 0; i < n; i++) {
    const unit = clusters.codes[i]!;
    const stratum = strata.codes[i]!;
    if (stratumOf[unit] === -1) stratumOf[unit] = stratum;
    else if (stratumOf[unit] !== stratum) {
      throw new StatsError(
        `expected every cluster inside one stratum, got cluster ${String(clusters.names[unit])} in strata ` +
          `${String(strata.names[stratumOf[unit]!])} and ${String(strata.names[stratum])}`,
        { argument: `options.strata${side}`, index: i },
      );
    }
  }
  const sizes = new Int32Array(strata.count);
  for (const stratum of stratumOf) sizes[stratum]!++;
  const next = new Int32Array(strata.count);
  for (let s = 1; s < strata.count; s++) next[s] = next[s - 1]! + sizes[s - 1]!;
  const renumbered = stratumOf.map((stratum) => next[stratum]!++);
  return { unitOf: clusters.codes.map((unit) => renumbered[unit]!), strata: sizes };
}
