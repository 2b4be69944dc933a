/**
 * `power`: the chance that a test finds an effect; `requiredSamples`: how many items that takes; `minimumDetectableEffect`:
 * the smallest effect a given number of items can find. All three answer from one function of (spec, n), so they agree
 * with each other by construction.
 *
 * t tests use the noncentral t distribution, tests on counts exact sums, pilots simulation. No normal approximation unless
 * asked for (`method: 'normal'`).
 */
import { StatsError } from '../errors.js';
import { integerAtLeast, openUnit } from '../input/index.js';
import { makeModel } from './model.js';
import { searchMonotone, searchSawtooth, startingN } from './search.js';
import type { PowerResult, RequiredSamplesResult, TestSpec } from './spec.js';

/** Power of `spec.test` with `n` items per first sample (pairs, or clusters of a pilot). */
export function power(spec: TestSpec & { readonly n: number }): PowerResult {
  const model = makeModel(spec);
  const n = integerAtLeast(spec.n, 2, 'spec.n');
  return { ...model.shared, power: Math.min(1, model.power(n)), n: model.sizes(n), warnings: model.warnings };
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
    power: Math.min(1, model.power(n)),
    target,
    n: sizes,
    total: sizes.reduce((sum, size) => sum + size, 0),
    warnings: model.warnings,
  };
}
