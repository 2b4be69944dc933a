/** What power calculations are asked: one shape per test, shared by power, requiredSamples and minimumDetectableEffect. */
import type { Warning } from '../errors.js';
import type { Alternative, McNemarMethod } from '../hypothesis/index.js';
import type { LabelArray, NumericArray } from '../input/index.js';

interface Common {
  /** Default 0.05. */
  readonly alpha?: number;
  /** Default 'two-sided'; one-sided power is for an effect in the tested direction. */
  readonly alternative?: Alternative;
}

/** Two independent samples; `effectSize` is Cohen's d, `ratio` the size of the second sample over the first. */
export interface IndependentTSpec extends Common {
  readonly test: 't-independent';
  readonly effectSize: number;
  readonly ratio?: number;
}

/** Pairs; `effectSize` is d_z, the mean difference over the standard deviation of the differences. */
export interface PairedTSpec extends Common {
  readonly test: 't-paired';
  readonly effectSize: number;
}

/** Two independent proportions, pooled z test (χ² without correction). */
export interface ProportionsSpec extends Common {
  readonly test: 'proportions';
  readonly p1: number;
  readonly p2: number;
  readonly ratio?: number;
  /** Default 'exact': sums over both binomials. 'normal' is the textbook approximation. */
  readonly method?: 'exact' | 'normal';
}

/** Paired right/wrong outcomes: probability that only the first, or only the second, is right. */
export interface McNemarSpec extends Common {
  readonly test: 'mcnemar';
  readonly firstOnly: number;
  readonly secondOnly: number;
  /** Default 'exact'. Power is summed exactly for every variant. */
  readonly variant?: McNemarMethod;
}

/** Paired differences (or scores) measured in a pilot; new data are drawn from it and tested with the paired t test. */
export interface PilotSpec extends Common {
  readonly test: 'bootstrap-pilot';
  readonly pilot: NumericArray;
  /** True mean to assume, in the units of the pilot; default the pilot's own mean. */
  readonly effect?: number;
  /** Cluster of each pilot item; sample sizes then count clusters. */
  readonly clusters?: LabelArray;
  /** Simulated studies; default 4000. */
  readonly simulations?: number;
  readonly seed?: number;
}

export type TestSpec = IndependentTSpec | PairedTSpec | ProportionsSpec | McNemarSpec | PilotSpec;
export type PowerTest = TestSpec['test'];
export const POWER_TESTS = [
  't-independent',
  't-paired',
  'proportions',
  'mcnemar',
  'bootstrap-pilot',
] as const;

export interface PowerResult {
  readonly power: number;
  readonly test: PowerTest;
  readonly method: string;
  readonly alpha: number;
  readonly alternative: Alternative;
  /** Sizes of the samples (one number for pairs; clusters when the pilot is clustered). */
  readonly n: readonly number[];
  readonly warnings: readonly Warning[];
}

export interface RequiredSamplesResult extends PowerResult {
  /** Power asked for; `power` is what `n` gives. */
  readonly target: number;
  readonly total: number;
}

export interface DetectableEffectResult {
  /** d, d_z, p₂, or firstOnly − secondOnly, or a mean in pilot units: what the test's spec calls its effect. */
  readonly effect: number;
  readonly test: PowerTest;
  readonly method: string;
  readonly alpha: number;
  readonly alternative: Alternative;
  readonly target: number;
  readonly n: readonly number[];
  readonly warnings: readonly Warning[];
}
