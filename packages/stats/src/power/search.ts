/** Searches for the smallest sample size that reaches a power. */
import { normal } from '../distributions/index.js';
import { StatsError } from '../errors.js';
import type { Model } from './model.js';

/** Beyond this no study is planned; the effect is too small to be worth asking about. */
const MAXIMUM_N = 1e9;

/** Normal-theory size, only to start the search from. */
export function startingN({ noncentrality, shared }: Model, target: number): number {
  const tail = shared.alternative === 'two-sided' ? shared.alpha / 2 : shared.alpha;
  const n = ((normal.upperQuantile(tail) + normal.quantile(target)) / noncentrality) ** 2;
  return Math.min(MAXIMUM_N, Math.max(2, Math.ceil(n)));
}

export function searchMonotone(evaluate: (n: number) => number, target: number, start: number): number {
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
export function searchSawtooth(model: Model, target: number): number {
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
