/**
 * Minimises a smooth function by limited-memory BFGS: the two-loop recursion (Nocedal & Wright, Numerical Optimization,
 * 2nd ed., algorithm 7.4) with a line search that brackets and bisects until the weak Wolfe conditions hold (Lewis &
 * Overton, Math. Program. 141, 2013).
 */

export interface Evaluation {
  readonly value: number;
  readonly gradient: Float64Array;
}

export interface LbfgsOptions {
  /** Pairs of steps that describe the curvature. */
  readonly memory?: number;
  readonly maxIterations?: number;
  /** Ends when no entry of the gradient is larger. */
  readonly tolerance?: number;
}

export interface LbfgsResult extends Evaluation {
  readonly x: Float64Array;
  readonly iterations: number;
  /** false: the iterations were used up, or no step improves any more at this precision. */
  readonly converged: boolean;
}

/** Sufficient decrease and curvature of the Wolfe conditions. */
const DECREASE = 1e-4;
const CURVATURE = 0.9;
const MAX_TRIALS = 60;

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  readonly rho: number;
}

export function lbfgs(
  evaluate: (x: Float64Array) => Evaluation,
  start: Float64Array,
  options: LbfgsOptions = {},
): LbfgsResult {
  const { memory = 10, maxIterations = 1000, tolerance = 1e-6 } = options;
  const pairs: Pair[] = [];
  let x = start;
  let at = evaluate(x);
  for (let iterations = 0; ; iterations++) {
    if (largest(at.gradient) <= tolerance) return { x, ...at, iterations, converged: true };
    if (iterations === maxIterations) return { x, ...at, iterations, converged: false };
    const direction = descent(at.gradient, pairs);
    const found = lineSearch(evaluate, x, at, direction);
    // Nothing left to gain that this precision could tell.
    if (found === null || at.value - found.at.value <= Number.EPSILON * Math.abs(at.value)) {
      return { x, ...at, iterations, converged: false };
    }
    const step = subtract(found.x, x);
    const change = subtract(found.at.gradient, at.gradient);
    const curvature = dot(step, change);
    if (curvature > 0) {
      pairs.push({ step, change, rho: 1 / curvature });
      if (pairs.length > memory) pairs.shift();
    }
    x = found.x;
    at = found.at;
  }
}

/** −H·g, with H the inverse curvature that the pairs describe. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = Float64Array.from(gradient, (g) => -g);
  const alphas = new Float64Array(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { step, change, rho } = pairs[i]!;
    alphas[i] = rho * dot(step, q);
    addScaled(q, change, -alphas[i]!);
  }
  const last = pairs.at(-1);
  // Without pairs: a first step of length 1 at most.
  const scale =
    last === undefined
      ? 1 / Math.max(1, Math.sqrt(dot(gradient, gradient)))
      : 1 / (last.rho * dot(last.change, last.change));
  for (let i = 0; i < q.length; i++) q[i]! *= scale;
  pairs.forEach(({ step, change, rho }, i) => {
    addScaled(q, step, alphas[i]! - rho * dot(change, q));
  });
  return q;
}

/** null when no step along the direction improves. */
function lineSearch(
  evaluate: (x: Float64Array) => Evaluation,
  x: Float64Array,
  at: Evaluation,
  direction: Float64Array,
): { x: Float64Array; at: Evaluation } | null {
  const slope = dot(at.gradient, direction);
  if (!(slope < 0)) return null;
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let length = 1;
  let best: { x: Float64Array; at: Evaluation } | null = null;
  for (let trial = 0; trial < MAX_TRIALS; trial++) {
    const point = Float64Array.from(x, (value, i) => value + length * direction[i]!);
    const there = evaluate(point);
    if (!(there.value <= at.value + DECREASE * length * slope)) {
      high = length;
    } else {
      best = { x: point, at: there };
      if (dot(there.gradient, direction) >= CURVATURE * slope) return best;
      low = length;
    }
    length = high === Number.POSITIVE_INFINITY ? 2 * low : (low + high) / 2;
  }
  return best;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function subtract(a: Float64Array, b: Float64Array): Float64Array {
  return Float64Array.from(a, (value, i) => value - b[i]!);
}

function addScaled(a: Float64Array, b: Float64Array, scale: number): void {
  for (let i = 0; i < a.length; i++) a[i]! += scale * b[i]!;
}

function largest(a: Float64Array): number {
  let most = 0;
  for (const value of a) most = Math.max(most, Math.abs(value));
  return most;
}
