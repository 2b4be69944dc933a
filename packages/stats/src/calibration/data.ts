/** Simulated evaluation data with a known truth: what the calibration of tests and intervals is measured on. */
import { nextUniform, Purpose, seedStream } from '../random/index.js';

/** Random numbers of one simulated data set; data set k of a scenario is the same in every run. */
export class Simulation {
  private readonly state = new Int32Array(4);
  private spare: number | undefined;

  /** `index` also seeds the resampling of the data set: one fixed set of resamples would be a common error of all. */
  constructor(
    seed: number,
    readonly index: number,
  ) {
    seedStream(this.state, seed, Purpose.simulation, index);
  }

  uniform(): number {
    return nextUniform(this.state);
  }

  /** Standard normal by the polar method (Marsaglia & Bray 1964). */
  normal(): number {
    if (this.spare !== undefined) {
      const value = this.spare;
      this.spare = undefined;
      return value;
    }
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      this.spare = y * scale;
      return x * scale;
    }
  }

  /** 1 with probability p. */
  bernoulli(p: number): number {
    return this.uniform() < p ? 1 : 0;
  }
}

export interface PairedData {
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly clusters?: Int32Array;
  /** For the resampling of this data set. */
  readonly seed: number;
}

export type DataKind = 'continuous' | 'binary' | 'clustered continuous' | 'clustered binary';

/** Items per cluster for n items: 10, 20 and 100 clusters for 20, 100 and 1000 items. */
export function clusterSize(n: number): number {
  return n <= 20 ? 2 : n <= 100 ? 5 : 10;
}

/** Probability that exactly one given method is right on an item of the binary data, and no shift. */
export const BINARY_DISCORDANCE = 0.5 * 0.5 - 0.35 ** 2 / 3;

/**
 * Two methods on the same items. Items differ in difficulty, which both share; `shift` is added to a's expected score.
 * Clustered data add an effect of method × cluster, which is what makes ignoring clusters wrong.
 */
export function pairedData(kind: DataKind, n: number, simulation: Simulation, shift = 0): PairedData {
  const a = new Float64Array(n);
  const b = new Float64Array(n);
  const clustered = kind.startsWith('clustered');
  const binary = kind.endsWith('binary');
  const size = clustered ? clusterSize(n) : 1;
  const clusters = Int32Array.from({ length: n }, (_, i) => Math.floor(i / size));
  let effectA = 0;
  let effectB = 0;
  for (let i = 0; i < n; i++) {
    if (clustered && i % size === 0) {
      effectA = simulation.normal();
      effectB = simulation.normal();
    }
    if (binary) {
      // Difficulty uniform in 0.15 … 0.85; clusters move the chance of each method up or down together.
      const p = 0.15 + 0.7 * simulation.uniform();
      const tilt = (effect: number): number => (clustered ? 0.14 * Math.max(-1, Math.min(1, effect)) : 0);
      a[i] = simulation.bernoulli(p + shift + tilt(effectA));
      b[i] = simulation.bernoulli(p + tilt(effectB));
    } else {
      const difficulty = 2 * simulation.normal();
      a[i] = difficulty + simulation.normal() + shift + 0.7 * effectA;
      b[i] = difficulty + simulation.normal() + 0.7 * effectB;
    }
  }
  return { a, b, seed: simulation.index, ...(clustered ? { clusters } : {}) };
}

/** Two independent samples of one distribution; the second is half as large again. */
export function independentData(
  kind: 'continuous' | 'binary',
  n: number,
  simulation: Simulation,
  shift = 0,
): PairedData {
  const draw = (move: number): number =>
    kind === 'binary' ? simulation.bernoulli(0.6 + move) : simulation.normal() + move;
  return {
    a: Float64Array.from({ length: n }, () => draw(shift)),
    b: Float64Array.from({ length: Math.ceil(1.5 * n) }, () => draw(0)),
    seed: simulation.index,
  };
}
