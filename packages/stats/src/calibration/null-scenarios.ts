/** Every test on data without an effect: how often does it reject at 5 %? */

import { compareToBaseline } from '../comparison/index.js';
import { studentT } from '../distributions/index.js';
import {
  independentTTest,
  mannWhitneyU,
  mcnemarTest,
  pairedBootstrapTest,
  pairedTTest,
  permutationTest,
  wilcoxonSignedRank,
} from '../hypothesis/index.js';
import { hierarchicalBootstrap } from '../multiseed/index.js';
import { type DataKind, independentData, type PairedData, pairedData, type Simulation } from './data.js';

export interface NullScenario {
  readonly test: string;
  readonly kind: string;
  readonly n: number;
  /**
   * 'level': the rate must lie in the binomial band around 5 %. 'at most': the data are discrete, so an exact test stays
   * below; only the upper edge of the band applies.
   */
  readonly claim: 'level' | 'at most';
  readonly simulate: (simulation: Simulation) => PairedData;
  readonly pValue: (data: PairedData) => number;
}

type PairedRun = (data: PairedData) => number;

const RESAMPLES = 999;

const PAIRED: Readonly<Record<string, { kinds: readonly DataKind[]; run: PairedRun }>> = {
  pairedTTest: {
    kinds: ['continuous', 'binary', 'clustered continuous', 'clustered binary'],
    run: ({ a, b, clusters }) => pairedTTest(a, b, { clusters }).pValue,
  },
  pairedBootstrapTest: {
    kinds: ['continuous', 'binary', 'clustered continuous', 'clustered binary'],
    run: ({ a, b, clusters, seed }) =>
      pairedBootstrapTest(a, b, { clusters, seed, resamples: RESAMPLES, threads: 1 }).pValue,
  },
  permutationTest: {
    kinds: ['continuous', 'binary', 'clustered continuous', 'clustered binary'],
    run: ({ a, b, clusters, seed }) =>
      permutationTest(a, b, { clusters, seed, resamples: RESAMPLES, method: 'randomized', threads: 1 })
        .pValue,
  },
  wilcoxonSignedRank: { kinds: ['continuous', 'binary'], run: ({ a, b }) => wilcoxonSignedRank(a, b).pValue },
  'mcnemarTest exact': { kinds: ['binary'], run: (data) => mcnemar(data, 'exact') },
  'mcnemarTest midp': { kinds: ['binary'], run: (data) => mcnemar(data, 'midp') },
  'mcnemarTest chi2': { kinds: ['binary'], run: (data) => mcnemar(data, 'chi2') },
  'mcnemarTest auto': { kinds: ['binary'], run: (data) => mcnemar(data, 'auto') },
};

const INDEPENDENT: Readonly<Record<string, PairedRun>> = {
  'independentTTest Welch': ({ a, b }) => independentTTest(a, b).pValue,
  'independentTTest Student': ({ a, b }) => independentTTest(a, b, { equalVariance: true }).pValue,
  mannWhitneyU: ({ a, b }) => mannWhitneyU(a, b).pValue,
  'permutationTest two-sample': ({ a, b, seed }) =>
    permutationTest(a, b, { paired: false, seed, resamples: RESAMPLES, method: 'randomized', threads: 1 })
      .pValue,
};

export function nullScenarios(sizes: readonly number[] = [20, 100, 1000]): NullScenario[] {
  const scenarios: NullScenario[] = [];
  for (const n of sizes) {
    for (const [test, { kinds, run }] of Object.entries(PAIRED)) {
      for (const kind of kinds) {
        scenarios.push({
          test,
          kind,
          n,
          claim: kind.endsWith('binary') ? 'at most' : 'level',
          simulate: (simulation) => pairedData(kind, n, simulation),
          pValue: run,
        });
      }
    }
    for (const [test, run] of Object.entries(INDEPENDENT)) {
      for (const kind of ['continuous', 'binary'] as const) {
        scenarios.push({
          test,
          kind,
          n,
          claim: kind === 'binary' ? 'at most' : 'level',
          simulate: (simulation) => independentData(kind, n, simulation),
          pValue: run,
        });
      }
    }
  }
  return [...scenarios, ...familyScenarios(), ...seedScenarios()];
}

function mcnemar({ a, b }: PairedData, method: 'auto' | 'exact' | 'midp' | 'chi2'): number {
  const groundTruth = new Array<number>(a.length).fill(1);
  return mcnemarTest({ predictionsA: a, predictionsB: b, groundTruth }, { method }).pValue;
}

/** Five methods without effect against one baseline: the smallest corrected p-value is the family's. */
function familyScenarios(): NullScenario[] {
  return (['continuous', 'clustered continuous'] as const).map((kind) => ({
    test: 'compareToBaseline, 5 methods, holm',
    kind,
    n: 100,
    claim: 'at most',
    simulate: (simulation) => {
      // b of each pair is a fresh method; the baseline is the a of the first.
      const first = pairedData(kind, 100, simulation);
      const methods = [first.b];
      for (let k = 1; k < 5; k++) methods.push(pairedData(kind, 100, simulation).b);
      return { ...first, b: Float64Array.from(methods.flatMap((method) => [...method])) };
    },
    pValue: ({ a, b, clusters, seed }) => {
      const items = (scores: Float64Array) => (clusters === undefined ? scores : { scores, clusters });
      const methods = Object.fromEntries(
        [0, 1, 2, 3, 4].map((k) => [`m${k}`, items(b.slice(k * a.length, (k + 1) * a.length))]),
      );
      const { comparisons } = compareToBaseline(items(a), methods, {
        seed,
        resamples: RESAMPLES,
        threads: 1,
      });
      return Math.min(...comparisons.map((entry) => entry.adjustedPValue));
    },
  }));
}

/** Two methods trained with several seeds each; seeds differ, methods do not. */
function seedScenarios(): NullScenario[] {
  return [3, 5, 10].map((seeds) => ({
    test: `hierarchicalBootstrap, ${seeds} seeds each`,
    kind: 'continuous',
    n: 100,
    claim: 'level',
    simulate: (simulation) => {
      const difficulty = Float64Array.from({ length: 100 }, () => 2 * simulation.normal());
      const rows = Float64Array.from({ length: 2 * seeds * 100 });
      for (let s = 0; s < 2 * seeds; s++) {
        const level = 0.3 * simulation.normal();
        for (let i = 0; i < 100; i++) rows[s * 100 + i] = difficulty[i]! + level + simulation.normal();
      }
      return { a: rows.subarray(0, seeds * 100), b: rows.subarray(seeds * 100), seed: simulation.index };
    },
    pValue: ({ a, b, seed }) => {
      const rows = (flat: Float64Array) =>
        Array.from({ length: seeds }, (_, s) => flat.slice(s * 100, (s + 1) * 100));
      const result = hierarchicalBootstrap(
        { a: rows(a), b: rows(b) },
        { seed, resamples: RESAMPLES, threads: 1 },
      );
      return 2 * studentT.survival(Math.abs(result.estimate) / result.standardError, result.degreesOfFreedom);
    },
  }));
}
