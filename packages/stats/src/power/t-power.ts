/** Power of t tests from the noncentral t distribution, both rejection regions counted. */
import { noncentralT, studentT } from '../distributions/index.js';
import type { Alternative } from '../hypothesis/index.js';

/** P(reject) when the t statistic has noncentrality `delta`. */
export function tPower(delta: number, df: number, alpha: number, alternative: Alternative): number {
  if (!(df > 0)) return 0;
  if (alternative === 'less') return noncentralT.cdf(-studentT.upperQuantile(alpha, df), df, delta);
  if (alternative === 'greater') return noncentralT.survival(studentT.upperQuantile(alpha, df), df, delta);
  const critical = studentT.upperQuantile(alpha / 2, df);
  return noncentralT.survival(critical, df, delta) + noncentralT.cdf(-critical, df, delta);
}

/** Two samples of n and `ratio`·n values, standardised difference d. */
export function independentTPower(
  d: number,
  n: number,
  ratio: number,
  alpha: number,
  alternative: Alternative,
): number {
  const second = n * ratio;
  return tPower(d * Math.sqrt((n * second) / (n + second)), n + second - 2, alpha, alternative);
}

export function pairedTPower(d: number, n: number, alpha: number, alternative: Alternative): number {
  return tPower(d * Math.sqrt(n), n - 1, alpha, alternative);
}
