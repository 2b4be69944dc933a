/**
 * Root of a monotone function by Brent's method (Brent 1973, chapter 4), with the bracket found by doubling.
 * Quantiles and pivotal confidence limits are all solved with it.
 */
const MAX_STEPS = 200;

/** x in [low, high] with f(x) = 0, given f(low) and f(high) of opposite sign (or zero). */
export function brentRoot(f: (x: number) => number, low: number, high: number): number {
  let a = low;
  let b = high;
  let fa = f(a);
  let fb = f(b);
  if (fa === 0) return a;
  if (fb === 0) return b;
  if (fa > 0 === fb > 0) return Number.NaN;
  let c = a;
  let fc = fa;
  let step = b - a;
  let previousStep = step;
  for (let i = 0; i < MAX_STEPS; i++) {
    if (fb > 0 === fc > 0) {
      c = a;
      fc = fa;
      step = b - a;
      previousStep = step;
    }
    if (Math.abs(fc) < Math.abs(fb)) {
      a = b;
      b = c;
      c = a;
      fa = fb;
      fb = fc;
      fc = fa;
    }
    const tolerance = 2.3e-16 * Math.abs(b) + Number.MIN_VALUE;
    const half = 0.5 * (c - b);
    if (Math.abs(half) <= tolerance || fb === 0) return b;
    if (Math.abs(previousStep) < tolerance || Math.abs(fa) <= Math.abs(fb)) {
      step = half;
      previousStep = half;
    } else {
      const trial = interpolate(a, b, c, fa, fb, fc, half);
      const limit = Math.min(3 * Math.abs(half) - tolerance, Math.abs(previousStep));
      if (2 * Math.abs(trial) < limit) {
        previousStep = step;
        step = trial;
      } else {
        step = half;
        previousStep = half;
      }
    }
    a = b;
    fa = fb;
    b += Math.abs(step) > tolerance ? step : Math.sign(half) * tolerance;
    fb = f(b);
  }
  return b;
}

/** Secant or inverse quadratic step from b. */
function interpolate(
  a: number,
  b: number,
  c: number,
  fa: number,
  fb: number,
  fc: number,
  half: number,
): number {
  const s = fb / fa;
  if (a === c) return (2 * half * s) / (s - 1);
  const q = fa / fc;
  const r = fb / fc;
  const numerator = s * (2 * half * q * (q - r) - (b - a) * (r - 1));
  return -numerator / ((q - 1) * (r - 1) * (s - 1));
}

/**
 * Root of a monotone f on the open interval (lower, upper), which may be infinite, starting near `start`.
 * The bracket grows by doubling its distance from `start`, and by halving the gap to a finite end.
 */
export function monotoneRoot(f: (x: number) => number, start: number, lower: number, upper: number): number {
  const atStart = f(start);
  if (atStart === 0) return start;
  const high = f(towards(start, upper, 1));
  const risingAway = high > atStart;
  const goUp = atStart < 0 === risingAway;
  const end = goUp ? upper : lower;
  let near = start;
  for (let k = 1; k <= 2200; k++) {
    const far = towards(start, end, k);
    const value = f(far);
    if (value === 0) return far;
    if (value > 0 !== atStart > 0) return brentRoot(f, Math.min(near, far), Math.max(near, far));
    near = far;
  }
  return end;
}

function towards(start: number, end: number, k: number): number {
  if (Number.isFinite(end)) return end + (start - end) * 2 ** -k;
  return start + Math.sign(end) * Math.max(Math.abs(start), 1) * 0.25 * (2 ** k - 1);
}

/**
 * Quantile of a distribution on (lower, upper): x with lower tail p (or upper tail q = 1 − p; the smaller of the
 * two is matched, in logarithms, so that extreme quantiles keep their digits).
 */
export function solveQuantile(
  tails: (x: number) => { readonly lower: number; readonly upper: number },
  target: { readonly p: number; readonly q: number },
  start: number,
  lower: number,
  upper: number,
): number {
  const { p, q } = target;
  if (!(p >= 0 && p <= 1)) return Number.NaN;
  if (p === 0) return lower;
  if (q === 0) return upper;
  const logTail = (value: number): number => (value > 0 ? Math.log(value) : -1e4);
  const f =
    p < q
      ? (x: number) => logTail(tails(x).lower) - Math.log(p)
      : (x: number) => Math.log(q) - logTail(tails(x).upper);
  return monotoneRoot(f, start, lower, upper);
}
