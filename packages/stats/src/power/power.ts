/**
 * `power`: the chance that a test finds an effect; `requiredSamples`: how many items that takes; `minimumDetectableEffect`:
 * the smallest effect a given number of items can find. All three answer from one function of (spec, n), so they agree
 * with each other by construction.
 *
 * t tests use the noncentral t distribution, tests on counts exact sums, pilots simulation. No normal approximation unless
 * asked for (`method: 'normal'`).
 */
import { brentRoot, normal } from '../distributions/index.js';
import { StatsError, type Warning } from '../errors.js';
import type { Alternative } from '../hypothesis/index.js';
import { closedUnit, finiteNumber, integerAtLeast, oneOf, openUnit, positiveNumber } from '../input/index.js';
import { exactProportionsPower, mcnemarPower, normalProportionsPower } from './discrete-power.js';
import { type Pilot, readPilot, simulateStudies, studiesPower } from './pilot-power.js';
import {
  type DetectableEffectResult,
  type PilotSpec,
  POWER_TESTS,
  type PowerResult,
  type RequiredSamplesResult,
  type TestSpec,
} from './spec.js';
import { independentTPower, pairedTPower } from './t-power.js';

/** Beyond this no study is planned; the effect is too small to be worth asking about. */
const MAXIMUM_N = 1e9;

/** Power of `spec.test` with `n` items per first sample (pairs, or clusters of a pilot). */
export function power(spec: TestSpec & { readonly n: number }): PowerResult {
  const model = makeModel(spec);
  const n = integerAtLeast(spec.n, 2, 'spec.n');
  return { ...model.shared, power: clampUnit(model.power(n)), n: model.sizes(n), warnings: model.warnings };
}

/**
 * Smallest n whose power reaches the target (default 0.8). Power on counts goes up in a saw-tooth; the n given is the one
 * from which power stays at or above the target.
 * @throws {StatsError} when the effect is zero or no n up to 10⁹ suffices
 */
export function requiredSamples(spec: TestSpec & { readonly power?: number }): RequiredSamplesResult {
  const target = openUnit(spec.power ?? 0.8, 'spec.power');
  const model = makeModel(spec);
  if (!(target > model.shared.alpha)) {
    throw new StatsError(`expected more than alpha = ${model.shared.alpha}, got ${target}`, {
      argument: 'spec.power',
    });
  }
  if (model.noncentrality === 0) {
    throw new StatsError('expected an effect different from zero, got 0', {
      argument: model.effectName,
      hint: 'No number of items detects an effect of zero.',
    });
  }
  const n = model.discrete
    ? searchSawtooth(model, target)
    : searchMonotone(model.power, target, startingN(model, target));
  const sizes = model.sizes(n);
  return {
    ...model.shared,
    power: clampUnit(model.power(n)),
    target,
    n: sizes,
    total: sizes.reduce((sum, size) => sum + size, 0),
    warnings: model.warnings,
  };
}

/** A spec without its effect: what `minimumDetectableEffect` solves for. */
export type DetectableSpec = (
  | { readonly test: 't-independent'; readonly ratio?: number }
  | { readonly test: 't-paired' }
  | {
      readonly test: 'proportions';
      readonly p1: number;
      readonly ratio?: number;
      readonly method?: 'exact' | 'normal';
    }
  | { readonly test: 'mcnemar'; readonly discordance: number; readonly variant?: 'exact' | 'midp' | 'chi2' }
  | Omit<PilotSpec, 'effect'>
) & {
  readonly n: number;
  readonly power?: number;
  readonly alpha?: number;
  readonly alternative?: Alternative;
};

/**
 * Smallest effect that n items detect with the target power (default 0.8): d or d_z for t tests, p₂ above p₁ for
 * proportions, firstOnly − secondOnly at a given discordance for McNemar, a mean in pilot units for a pilot.
 */
export function minimumDetectableEffect(spec: DetectableSpec): DetectableEffectResult {
  oneOf(spec.test, POWER_TESTS, 'spec.test');
  const target = openUnit(spec.power ?? 0.8, 'spec.power');
  const n = integerAtLeast(spec.n, 2, 'spec.n');
  const { complete, largest } = effectFamily(spec);
  // Power grows in the tested direction; for 'less' the effect is negative.
  const sign = spec.alternative === 'less' ? -1 : 1;
  const at = (size: number): number => makeModel(complete(sign * size)).power(n) - target;
  const model = makeModel(complete(sign * Math.min(1e-3, largest / 2)));
  if (!(at(largest) > 0)) {
    throw new StatsError(`expected enough items for some effect to be detectable, got ${n}`, {
      argument: 'spec.n',
      hint: `Even the largest possible effect is found with power below ${target}; use more items.`,
    });
  }
  let high = Math.min(largest, 1e-3);
  while (high < largest && at(high) < 0) high = Math.min(largest, 2 * high);
  const size = model.discrete
    ? bisect(at, high / 2, high)
    : brentRoot(at, at(high / 2) < 0 ? high / 2 : 0, high);
  return {
    ...model.shared,
    effect: model.reportEffect(sign * size),
    target,
    n: model.sizes(n),
    warnings: model.warnings,
  };
}

/** Everything the three questions need to know about a test. */
interface Model {
  readonly shared: Pick<PowerResult, 'test' | 'method' | 'alpha' | 'alternative'>;
  readonly power: (n: number) => number;
  readonly sizes: (n: number) => readonly number[];
  /** Approximate noncentrality per √n, for the starting point. */
  readonly noncentrality: number;
  readonly discrete: boolean;
  readonly effectName: string;
  readonly reportEffect: (effect: number) => number;
  readonly warnings: readonly Warning[];
}

function makeModel(spec: TestSpec): Model {
  oneOf(spec.test, POWER_TESTS, 'spec.test');
  const alpha = openUnit(spec.alpha ?? 0.05, 'spec.alpha');
  const alternative = oneOf(
    spec.alternative ?? 'two-sided',
    ['two-sided', 'less', 'greater'],
    'spec.alternative',
  );
  const shared = { test: spec.test, alpha, alternative };
  const identity = (effect: number): number => effect;
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
        reportEffect: identity,
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
        reportEffect: identity,
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
        reportEffect: (gap) => p1 + gap,
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
        reportEffect: identity,
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
    reportEffect: (value) => value,
    warnings,
  };
}

/** The spec for each size of effect, and the largest size that makes sense. */
function effectFamily(spec: DetectableSpec): { complete: (effect: number) => TestSpec; largest: number } {
  switch (spec.test) {
    case 't-independent':
    case 't-paired':
      return { complete: (effectSize) => ({ ...spec, effectSize }), largest: 1e3 };
    case 'proportions': {
      const p1 = closedUnit(spec.p1, 'spec.p1');
      const flipped: Alternative | undefined =
        spec.alternative === 'less' ? 'greater' : spec.alternative === 'greater' ? 'less' : undefined;
      return {
        complete: (gap) => ({
          ...spec,
          p2: p1 + gap,
          ...(flipped === undefined ? {} : { alternative: flipped }),
        }),
        largest: spec.alternative === 'less' ? p1 : 1 - p1,
      };
    }
    case 'mcnemar': {
      const discordance = closedUnit(spec.discordance, 'spec.discordance');
      return {
        complete: (gap) => ({
          ...spec,
          firstOnly: (discordance + gap) / 2,
          secondOnly: Math.max(0, (discordance - gap) / 2),
        }),
        largest: discordance,
      };
    }
    case 'bootstrap-pilot': {
      const { deviation } = readPilot(spec);
      return { complete: (effect) => ({ ...spec, effect }), largest: 1e3 * deviation };
    }
  }
}

/** Normal-theory size, only to start the search from. */
function startingN({ noncentrality, shared }: Model, target: number): number {
  const tail = shared.alternative === 'two-sided' ? shared.alpha / 2 : shared.alpha;
  const n = ((normal.upperQuantile(tail) + normal.quantile(target)) / noncentrality) ** 2;
  return Math.min(MAXIMUM_N, Math.max(2, Math.ceil(n)));
}

function searchMonotone(evaluate: (n: number) => number, target: number, start: number): number {
  let high = start;
  while (evaluate(high) < target) {
    if (high >= MAXIMUM_N) throw unreachable(target);
    high = Math.min(MAXIMUM_N, Math.ceil(high * 1.1) + 1);
  }
  let low = 1;
  // Walk down in growing steps first: the start is usually within a few items of the answer.
  for (let step = 1; high - step > 1; step *= 2) {
    if (evaluate(high - step) < target) {
      low = high - step;
      break;
    }
    high -= step;
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (evaluate(middle) < target) low = middle;
    else high = middle;
  }
  return high;
}

/** One more than the last n whose power is below the target; teeth are negligible beyond a thousand items. */
function searchSawtooth(model: Model, target: number): number {
  const start = startingN(model, target);
  if (start > 1500) return searchMonotone(model.power, target, start);
  let n = Math.ceil(1.3 * start) + 30;
  while (model.power(n) < target) {
    if (n > 1e6) throw unreachable(target);
    n = Math.ceil(1.3 * n);
  }
  while (n > 2 && model.power(n - 1) >= target) n--;
  return n;
}

function unreachable(target: number): StatsError {
  return new StatsError(`expected an effect that some n up to ${MAXIMUM_N} detects with power ${target}`, {
    argument: 'spec',
    hint: 'Check the direction of the effect against `alternative`, and its size.',
  });
}

function bisect(f: (x: number) => number, low: number, high: number): number {
  let [from, to] = [low, high];
  for (let i = 0; i < 40; i++) {
    const middle = (from + to) / 2;
    if (f(middle) < 0) from = middle;
    else to = middle;
  }
  return to;
}

function clampUnit(value: number): number {
  return Math.min(1, Math.max(0, value));
}
