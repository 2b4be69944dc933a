/** The smallest effect that a given number of items can find. */
import { brentRoot } from '../distributions/index.js';
import { StatsError } from '../errors.js';
import type { Alternative, McNemarMethod } from '../hypothesis/index.js';
import { closedUnit, integerAtLeast, oneOf, openUnit } from '../input/index.js';
import { makeModel } from './model.js';
import { readPilot, simulateStudies, studiesPower } from './pilot-power.js';
import { type DetectableEffectResult, type PilotSpec, POWER_TESTS, type TestSpec } from './spec.js';

/** A test without its effect, which is what is asked for. */
export type DetectableSpec = (
  | { readonly test: 't-independent'; readonly ratio?: number }
  | { readonly test: 't-paired' }
  | {
      readonly test: 'proportions';
      readonly p1: number;
      readonly ratio?: number;
      readonly method?: 'exact' | 'normal';
    }
  | { readonly test: 'mcnemar'; readonly discordance: number; readonly variant?: McNemarMethod }
  | Omit<PilotSpec, 'effect'>
) & {
  readonly n: number;
  /** Default 0.8. */
  readonly power?: number;
  readonly alpha?: number;
  readonly alternative?: Alternative;
};

/**
 * Smallest effect that n items detect with the target power: d or d_z for t tests, p₂ (above p₁ unless the alternative is
 * 'greater') for proportions, firstOnly − secondOnly at a given discordance for McNemar, a mean in pilot units for a pilot.
 * @throws {StatsError} when no effect can be detected with n items
 */
export function minimumDetectableEffect(spec: DetectableSpec): DetectableEffectResult {
  oneOf(spec.test, POWER_TESTS, 'spec.test');
  const target = openUnit(spec.power ?? 0.8, 'spec.power');
  const n = integerAtLeast(spec.n, 2, 'spec.n');
  const family = effectFamily(spec, n);
  const excess = (size: number): number => family.powerAt(size) - target;
  if (!(excess(family.largest) > 0)) {
    throw new StatsError(`expected enough items for some effect to be detectable, got ${n}`, {
      argument: 'spec.n',
      hint: `Even the largest possible effect is found with power below ${target}; use more items.`,
    });
  }
  let high = Math.min(family.largest, family.unit * 1e-3);
  while (high < family.largest && excess(high) < 0) high = Math.min(family.largest, 2 * high);
  const low = excess(high / 2) < 0 ? high / 2 : 0;
  const size = family.smooth ? brentRoot(excess, low, high) : bisect(excess, low, high);
  const model = makeModel(family.specAt(size));
  return {
    ...model.shared,
    effect: family.report(size),
    target,
    n: model.sizes(n),
    warnings: model.warnings,
  };
}

/** One test with effects of growing size in the tested direction. */
interface EffectFamily {
  readonly specAt: (size: number) => TestSpec;
  readonly powerAt: (size: number) => number;
  readonly report: (size: number) => number;
  readonly largest: number;
  /** Scale of a size-1 effect, to start the search. */
  readonly unit: number;
  readonly smooth: boolean;
}

function effectFamily(spec: DetectableSpec, n: number): EffectFamily {
  const sign = spec.alternative === 'less' ? -1 : 1;
  const viaModel = (
    specAt: (size: number) => TestSpec,
    report: (size: number) => number,
    largest: number,
    smooth: boolean,
  ): EffectFamily => ({
    specAt,
    powerAt: (size) => makeModel(specAt(size)).power(n),
    report,
    largest,
    unit: 1,
    smooth,
  });
  switch (spec.test) {
    case 't-independent':
    case 't-paired':
      return viaModel(
        (size) => ({ ...spec, effectSize: sign * size }),
        (size) => sign * size,
        1e3,
        true,
      );
    case 'proportions': {
      const p1 = closedUnit(spec.p1, 'spec.p1');
      // 'greater' says p1 > p2, so the effect goes down from p1.
      const direction = spec.alternative === 'greater' ? -1 : 1;
      return viaModel(
        (size) => ({ ...spec, p2: Math.min(1, Math.max(0, p1 + direction * size)) }),
        (size) => p1 + direction * size,
        direction > 0 ? 1 - p1 : p1,
        spec.method === 'normal',
      );
    }
    case 'mcnemar': {
      const discordance = closedUnit(spec.discordance, 'spec.discordance');
      const side = (size: number, s: number): number => Math.max(0, (discordance + s * size) / 2);
      return viaModel(
        (size) => ({ ...spec, firstOnly: side(size, sign), secondOnly: side(size, -sign) }),
        (size) => sign * size,
        discordance,
        false,
      );
    }
    case 'bootstrap-pilot': {
      const pilot = readPilot(spec);
      const alpha = openUnit(spec.alpha ?? 0.05, 'spec.alpha');
      const alternative = spec.alternative ?? 'two-sided';
      // A true effect only shifts the simulated means: one simulation serves the whole search.
      const studies = simulateStudies(pilot, n, spec.simulations ?? 4000, spec.seed ?? 0);
      return {
        specAt: (size) => ({ ...spec, effect: sign * size }),
        powerAt: (size) => studiesPower(studies, sign * size, alpha, alternative),
        report: (size) => sign * size,
        largest: 1e3 * pilot.deviation,
        unit: pilot.deviation,
        smooth: false,
      };
    }
  }
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
