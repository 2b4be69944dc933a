/** How many training seeds a comparison needs, from the spread of a few pilot seeds. */
import { chiSquared } from '../distributions/index.js';
import type { Warning } from '../errors.js';
import type { Alternative } from '../hypothesis/index.js';
import { finiteArray, type NumericArray, positiveNumber } from '../input/index.js';
import { requiredSamples } from './power.js';

export interface RequiredSeedsOptions {
  /** Difference worth finding, in the units of the scores. */
  readonly effect: number;
  /** The pilot holds differences between two methods trained with the same seeds. Default false: scores of one method. */
  readonly paired?: boolean;
  readonly alpha?: number;
  readonly power?: number;
  readonly alternative?: Alternative;
}

export interface RequiredSeedsResult {
  /** Seeds per method (pairs of runs when `paired`). */
  readonly seeds: number;
  /** Seeds if the true spread is at the lower or upper end of its 80 % interval. */
  readonly range: readonly [number, number];
  readonly standardDeviation: number;
  readonly method: string;
  readonly n: readonly number[];
  readonly warnings: readonly Warning[];
}

/** @throws {StatsError} for fewer than 2 pilot seeds or an effect that is not positive */
export function requiredSeeds(pilot: NumericArray, options: RequiredSeedsOptions): RequiredSeedsResult {
  const scores = finiteArray(pilot, 'pilot', 2);
  const effect = positiveNumber(options.effect, 'options.effect');
  const n = scores.length;
  const mean = scores.reduce((sum, value) => sum + value, 0) / n;
  const variance = scores.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const needed = (sd: number): number => {
    if (sd === 0) return 2;
    const { alpha, power, alternative } = options;
    const result = requiredSamples({
      test: options.paired ? 't-paired' : 't-independent',
      effectSize: alternative === 'less' ? -effect / sd : effect / sd,
      ...(alpha === undefined ? {} : { alpha }),
      ...(power === undefined ? {} : { power }),
      ...(alternative === undefined ? {} : { alternative }),
    });
    return result.n[0]!;
  };
  const sdAt = (quantile: number): number => Math.sqrt(((n - 1) * variance) / quantile);
  const warnings: Warning[] = [];
  if (n < 5) {
    warnings.push({
      code: 'small-sample',
      message: `${n} pilot seeds fix the spread only within a factor of ${(sdAt(chiSquared.quantile(0.1, n - 1)) / Math.sqrt(variance || 1)).toFixed(1)}; see range.`,
    });
  }
  if (variance === 0) warnings.push({ code: 'constant-data', message: 'All pilot seeds score the same.' });
  return {
    seeds: needed(Math.sqrt(variance)),
    range: [
      needed(sdAt(chiSquared.upperQuantile(0.1, n - 1))),
      needed(sdAt(chiSquared.quantile(0.1, n - 1))),
    ],
    standardDeviation: Math.sqrt(variance),
    method: options.paired
      ? 'paired t test over seeds, noncentral t'
      : 'two-sample t test over seeds, noncentral t',
    n: [n],
    warnings,
  };
}
