/** A comparison in words, and what it would take to say more. */
import { studentT } from '../distributions/index.js';
import { satterthwaite, type VariancePart } from '../multiseed/index.js';
import { requiredSamples, tPower } from '../power/index.js';

export type Verdict = 'better' | 'worse' | 'no difference shown' | 'not enough data';

/** What would give the target power for the smallest effect of interest. */
export interface Needs {
  readonly items?: number;
  readonly clusters?: number;
  readonly seeds?: number;
}

/** Variance of a difference, by source. */
export interface DifferenceVariance {
  /** From items (or clusters), with their number − 1 degrees of freedom. */
  readonly items: number;
  readonly units: number;
  readonly itemsPerUnit: number;
  readonly seeds: readonly VariancePart[];
}

export interface PowerSummary {
  /** Power of the t test for the observed difference: a restatement of the p-value, not evidence of no effect. */
  readonly achievedPower: number;
  /** Smallest difference worth finding, in metric units. */
  readonly smallestEffect: number;
  readonly powerForSmallestEffect: number;
  /** Difference that these data detect with the target power, in metric units. */
  readonly minimumDetectableEffect: number;
  /** Present when `powerForSmallestEffect` is below the target. */
  readonly needs?: Needs;
}

/** `level`: alpha of one test after Bonferroni, the strictest a correction can ask for. */
export function summarisePower(
  difference: number,
  sd: number,
  variance: DifferenceVariance,
  smallestEffect: number | undefined,
  level: number,
  target: number,
): PowerSummary {
  const total = variance.items + variance.seeds.reduce((sum, part) => sum + part.variance, 0);
  const df = degreesOfFreedom(variance, variance.items);
  const effect = smallestEffect ?? 0.2 * sd;
  if (total === 0 || effect === 0) return withoutVariation(difference, effect, variance, level, target);
  const se = Math.sqrt(total);
  const forEffect = tPower(effect / se, df, level, 'two-sided');
  return {
    achievedPower: Math.min(1, tPower(Math.abs(difference) / se, df, level, 'two-sided')),
    smallestEffect: effect,
    powerForSmallestEffect: Math.min(1, forEffect),
    minimumDetectableEffect: se * detectableNoncentrality(df, level, target),
    ...(forEffect < target ? { needs: whatIsNeeded(variance, total, effect, level, target) } : {}),
  };
}

/** All differences equal: no spread to plan with, so sizes come from the standardised default effect. */
function withoutVariation(
  difference: number,
  effect: number,
  variance: DifferenceVariance,
  level: number,
  target: number,
): PowerSummary {
  const needed = requiredSamples({ test: 't-paired', effectSize: 0.2, alpha: level, power: target }).n[0]!;
  const known = variance.units >= needed;
  return {
    achievedPower: difference === 0 ? level : 1,
    smallestEffect: effect,
    powerForSmallestEffect: known ? 1 : Number.NaN,
    minimumDetectableEffect: 0,
    ...(known ? {} : { needs: unitsAndItems(needed, variance) }),
  };
}

export function verdictOf(
  significant: boolean,
  difference: number,
  higherIsBetter: boolean,
  power: PowerSummary,
): Verdict {
  if (significant && difference !== 0) return difference > 0 === higherIsBetter ? 'better' : 'worse';
  return power.needs === undefined ? 'no difference shown' : 'not enough data';
}

function degreesOfFreedom(variance: DifferenceVariance, items: number): number {
  return satterthwaite([{ variance: items, degreesOfFreedom: variance.units - 1 }, ...variance.seeds]);
}

/** Noncentrality at which the two-sided t test reaches the target power. */
function detectableNoncentrality(df: number, level: number, target: number): number {
  let low = 0;
  let high = studentT.upperQuantile(level / 2, df) + 4;
  while (tPower(high, df, level, 'two-sided') < target) high *= 2;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (tPower(middle, df, level, 'two-sided') < target) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * More items when items dominate the variance; more seeds when seeds do and the items are enough by themselves; otherwise
 * both, each allowed half of the variance that the target power permits.
 */
function whatIsNeeded(
  variance: DifferenceVariance,
  total: number,
  effect: number,
  level: number,
  target: number,
): Needs {
  const seedVariance = total - variance.items;
  if (seedVariance <= variance.items) return unitsFor(variance.items, variance, effect, level, target);
  const powerWith = (seeds: number): number => {
    const scaled = variance.seeds.map((part) => {
      const share = (part.degreesOfFreedom + 1) / seeds;
      const weight = (part.weight ?? part.variance) * share;
      return { variance: part.variance * share, weight, degreesOfFreedom: seeds - 1 };
    });
    const sum = variance.items + scaled.reduce((s, part) => s + part.variance, 0);
    const items = { variance: variance.items, degreesOfFreedom: variance.units - 1 };
    return tPower(effect / Math.sqrt(sum), satterthwaite([items, ...scaled]), level, 'two-sided');
  };
  if (powerWith(MANY_SEEDS) >= target) {
    let low = 1;
    let high = 2;
    while (powerWith(high) < target) {
      low = high;
      high *= 2;
    }
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (powerWith(middle) < target) low = middle;
      else high = middle;
    }
    return { seeds: high };
  }
  const allowed = (effect / detectableNoncentrality(variance.units - 1, level, target)) ** 2;
  const present = Math.max(...variance.seeds.map((part) => part.degreesOfFreedom + 1));
  return {
    ...unitsFor(2 * variance.items, variance, effect, level, target),
    seeds: Math.ceil((2 * seedVariance * present) / allowed),
  };
}

/** Nobody trains more; with so many the seed part of the variance is as good as gone. */
const MANY_SEEDS = 2 ** 20;

/** Units that reach the target when the variance of the present ones is `itemVariance`. */
function unitsFor(
  itemVariance: number,
  variance: DifferenceVariance,
  effect: number,
  level: number,
  target: number,
): Needs {
  const effectSize = effect / Math.sqrt(itemVariance * variance.units);
  const needed = requiredSamples({ test: 't-paired', effectSize, alpha: level, power: target }).n[0]!;
  return unitsAndItems(Math.max(needed, variance.units + 1), variance);
}

function unitsAndItems(units: number, variance: DifferenceVariance): Needs {
  const items = Math.ceil(units * variance.itemsPerUnit);
  return variance.itemsPerUnit === 1 ? { items } : { items, clusters: units };
}
