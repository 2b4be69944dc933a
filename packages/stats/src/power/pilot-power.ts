/**
 * Power from a pilot: simulate studies of n units drawn from the pilot with replacement and test each with the (cluster-
 * robust) t test. Real score distributions, ties and cluster sizes included, instead of a normal model.
 *
 * A study is kept as its centred mean and standard error; a true effect only shifts the mean, so one simulation answers
 * for every effect, and the same streams serve every n.
 */
import { studentT } from '../distributions/index.js';
import type { Alternative } from '../hypothesis/index.js';
import { finiteArray, grouping } from '../input/index.js';
import { nextBelow, Purpose, seedStream } from '../random/index.js';
import type { PilotSpec } from './spec.js';

export interface Pilot {
  /** Mean of the pilot items. */
  readonly mean: number;
  /** Sum of centred items and number of items, per unit. */
  readonly totals: Float64Array;
  readonly sizes: Float64Array;
  readonly clustered: boolean;
  /** Standard deviation of a unit's contribution to the mean, times √units: effect·√n/deviation is the noncentrality. */
  readonly deviation: number;
}

export function readPilot(spec: PilotSpec): Pilot {
  const values = finiteArray(spec.pilot, 'spec.pilot', 2);
  const units =
    spec.clusters === undefined
      ? { codes: Int32Array.from(values, (_, i) => i), count: values.length }
      : grouping(spec.clusters, values.length, 'spec.clusters');
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const totals = new Float64Array(units.count);
  const sizes = new Float64Array(units.count);
  values.forEach((value, i) => {
    totals[units.codes[i]!]! += value - mean;
    sizes[units.codes[i]!]! += 1;
  });
  const squares = totals.reduce((sum, total) => sum + total * total, 0);
  const averageSize = values.length / units.count;
  return {
    mean,
    totals,
    sizes,
    clustered: spec.clusters !== undefined,
    deviation: Math.sqrt(squares / Math.max(1, units.count - 1)) / averageSize,
  };
}

/** Simulated studies of one size. */
export interface Studies {
  readonly means: Float64Array;
  readonly standardErrors: Float64Array;
  readonly n: number;
}

export function simulateStudies(pilot: Pilot, n: number, simulations: number, seed: number): Studies {
  const { totals, sizes } = pilot;
  const state = new Int32Array(4);
  const means = new Float64Array(simulations);
  const standardErrors = new Float64Array(simulations);
  for (let s = 0; s < simulations; s++) {
    seedStream(state, seed, Purpose.simulation, s);
    let total = 0;
    let size = 0;
    let squares = 0;
    let cross = 0;
    let sizeSquares = 0;
    for (let i = 0; i < n; i++) {
      const unit = nextBelow(state, totals.length);
      const value = totals[unit]!;
      const count = sizes[unit]!;
      total += value;
      size += count;
      squares += value * value;
      cross += value * count;
      sizeSquares += count * count;
    }
    const mean = total / size;
    const residual = squares - 2 * mean * cross + mean * mean * sizeSquares;
    means[s] = mean;
    standardErrors[s] = Math.sqrt((Math.max(0, residual) * n) / (n - 1)) / size;
  }
  return { means, standardErrors, n };
}

export function studiesPower(
  { means, standardErrors, n }: Studies,
  effect: number,
  alpha: number,
  alternative: Alternative,
): number {
  const critical = studentT.upperQuantile(alternative === 'two-sided' ? alpha / 2 : alpha, n - 1);
  let rejected = 0;
  for (let s = 0; s < means.length; s++) {
    const gap = means[s]! + effect;
    const border = critical * standardErrors[s]!;
    const signed = alternative === 'less' ? -gap : alternative === 'greater' ? gap : Math.abs(gap);
    if (signed > border || (border === 0 && signed > 0)) rejected++;
  }
  return rejected / means.length;
}
