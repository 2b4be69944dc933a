/** Each test as a function from sample size to power, with what the searches need to know about it. */
import { StatsError, type Warning } from '../errors.js';
import type { Alternative } from '../hypothesis/index.js';
import { closedUnit, finiteNumber, integerAtLeast, oneOf, openUnit, positiveNumber } from '../input/index.js';
import { exactProportionsPower, mcnemarPower, normalProportionsPower } from './discrete-power.js';
import { type Pilot, readPilot, simulateStudies, studiesPower } from './pilot-power.js';
import { type PilotSpec, POWER_TESTS, type PowerResult, type TestSpec } from './spec.js';
import { independentTPower, pairedTPower } from './t-power.js';

/** Everything the three questions need to know about a test. */
export interface Model {
  readonly shared: Pick<PowerResult, 'test' | 'method' | 'alpha' | 'alternative'>;
  readonly power: (n: number) => number;
  readonly sizes: (n: number) => readonly number[];
  /** Approximate noncentrality per √n, for the starting point. */
  readonly noncentrality: number;
  readonly discrete: boolean;
  readonly effectName: string;
  readonly warnings: readonly Warning[];
}

export function makeModel(spec: TestSpec): Model {
  oneOf(spec.test, POWER_TESTS, 'spec.test');
  const alpha = openUnit(spec.alpha ?? 0.05, 'spec.alpha');
  const alternative = oneOf(
    spec.alternative ?? 'two-sided',
    ['two-sided', 'less', 'greater'],
    'spec.alternative',
  );
  const shared = { test: spec.test, alpha, alternative };
  switch (spec.test) {
    case 't-independent': {
      const d = finiteNumber(spec.effectSize, 'spec.effectSize');
      const ratio = positiveNumber(spec.ratio ?? 1, 'spec.ratio');
      return {
        shared: { ...shared, method: 'two-sample t test, noncentral t' },
        power: (n) => independentTPower(d, n, Math.ceil(n * ratio - 1e-9) / n, alpha, alternative),
        sizes: (n) => [n, Math.ceil(n * ratio - 1e-9)],
        noncentrality: d * Math.sqrt(ratio / (1 + ratio)),
        discrete: false,
        effectName: 'spec.effectSize',
        warnings: [],
      };
    }
    case 't-paired': {
      const d = finiteNumber(spec.effectSize, 'spec.effectSize');
      return {
        shared: { ...shared, method: 'paired t test, noncentral t' },
        power: (n) => pairedTPower(d, n, alpha, alternative),
        sizes: (n) => [n],
        noncentrality: d,
        discrete: false,
        effectName: 'spec.effectSize',
        warnings: [],
      };
    }
    case 'proportions': {
      const p1 = closedUnit(spec.p1, 'spec.p1');
      const p2 = closedUnit(spec.p2, 'spec.p2');
      const ratio = positiveNumber(spec.ratio ?? 1, 'spec.ratio');
      const method = oneOf(spec.method ?? 'exact', ['exact', 'normal'], 'spec.method');
      const evaluate = method === 'exact' ? exactProportionsPower : normalProportionsPower;
      return {
        shared: { ...shared, method: `pooled z test of two proportions, ${method}` },
        power: (n) => evaluate(p1, p2, n, Math.ceil(n * ratio - 1e-9), alpha, alternative),
        sizes: (n) => [n, Math.ceil(n * ratio - 1e-9)],
        noncentrality: (p1 - p2) / Math.sqrt(Math.max(p1 * (1 - p1) + (p2 * (1 - p2)) / ratio, 1e-6)),
        discrete: method === 'exact',
        effectName: 'spec.p2',
        warnings: [],
      };
    }
    case 'mcnemar': {
      const first = closedUnit(spec.firstOnly, 'spec.firstOnly');
      const second = closedUnit(spec.secondOnly, 'spec.secondOnly');
      if (first + second > 1) {
        throw new StatsError(`expected firstOnly + secondOnly of at most 1, got ${first + second}`, {
          argument: 'spec.secondOnly',
        });
      }
      const variant = oneOf(spec.variant ?? 'exact', ['exact', 'midp', 'chi2'], 'spec.variant');
      return {
        shared: { ...shared, method: `McNemar ${variant}, exact sums` },
        power: (n) => mcnemarPower(first, second, n, alpha, alternative, variant),
        sizes: (n) => [n],
        noncentrality: first + second === 0 ? 0 : (first - second) / Math.sqrt(first + second),
        discrete: true,
        effectName: 'spec.firstOnly',
        warnings: [],
      };
    }
    case 'bootstrap-pilot':
      return pilotModel(spec, alpha, alternative);
  }
}

function pilotModel(spec: PilotSpec, alpha: number, alternative: Alternative): Model {
  const pilot: Pilot = readPilot(spec);
  const effect = finiteNumber(spec.effect ?? pilot.mean, 'spec.effect');
  const simulations = integerAtLeast(spec.simulations ?? 4000, 100, 'spec.simulations');
  const seed = integerAtLeast(spec.seed ?? 0, Number.MIN_SAFE_INTEGER, 'spec.seed');
  const warnings: Warning[] = [];
  if (pilot.totals.length < 20) {
    warnings.push({
      code: 'small-sample',
      message: `A pilot of ${pilot.totals.length} ${pilot.clustered ? 'clusters' : 'items'} knows its own spread badly; plan for more than the answer.`,
    });
  }
  return {
    shared: {
      test: spec.test,
      alpha,
      alternative,
      method: `${pilot.clustered ? 'cluster-robust ' : ''}t test on ${simulations} studies drawn from the pilot`,
    },
    power: (n) => studiesPower(simulateStudies(pilot, n, simulations, seed), effect, alpha, alternative),
    sizes: (n) => [n],
    noncentrality: pilot.deviation === 0 ? 0 : effect / pilot.deviation,
    discrete: false,
    effectName: 'spec.effect',
    warnings,
  };
}
