/**
 * ln Γ and the regularised incomplete gamma functions P and Q.
 *
 * Sources: DLMF 5.7.3 (ln Γ near 1 and 2), DLMF 8.11.4 (series for P), DLMF 8.9.2 (continued fraction for Q,
 * evaluated by the modified Lentz scheme of Thompson & Barnett 1986), Loader (2000) for the common factor.
 * Both tails are computed directly wherever they are small; neither is ever taken as 1 minus a number near 1.
 */
import { continuedFraction } from './continued-fraction.js';
import { stirlingRemainder, xMinusLog1p } from './stirling.js';

export const HALF_LOG_TWO_PI = 0.9189385332046727417803;
export const SQRT_TWO_PI = 2.5066282746310005024158;
const EULER_GAMMA = 0.5772156649015328606065;

/** ζ(k) − 1 for k = 2, 3, …, 29. */
const ZETA_MINUS_ONE = [
  0.64493406684822643647, 0.2020569031595942854, 0.082323233711138191516, 0.036927755143369926331,
  0.017343061984449139715, 0.0083492773819228268398, 0.0040773561979443393787, 0.0020083928260822144179,
  9.9457512781808533715e-4, 4.941886041194645587e-4, 2.4608655330804829864e-4, 1.2271334757848914675e-4,
  6.1248135058704829259e-5, 3.0588236307020493552e-5, 1.5282259408651871733e-5, 7.6371976378997622736e-6,
  3.8172932649998398565e-6, 1.9082127165539389257e-6, 9.5396203387279611315e-7, 4.7693298678780646312e-7,
  2.3845050272773299e-7, 1.1921992596531107307e-7, 5.9608189051259479612e-8, 2.9803503514652280186e-8,
  1.4901554828365041235e-8, 7.450711789835429492e-9, 3.7253340247884570548e-9, 1.8626597235130490064e-9,
] as const;

/** ln Γ(x) for x > 0; relative error a few 1e-16, also near the zeros at 1 and 2. */
export function logGamma(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
  if (x < 0.5) return logGamma1p(x) - Math.log(x);
  if (x < 1.5) return logGamma1p(x - 1);
  if (x < 2.5) return logGamma2p(x - 2);
  return (x - 0.5) * Math.log(x) - x + HALF_LOG_TWO_PI + stirlingRemainder(x);
}

/** ln Γ(1+z) for |z| ≤ ½ without cancellation at 0. */
export function logGamma1p(z: number): number {
  return logGamma2p(z) - Math.log1p(z);
}

/** ln Γ(2+z) = (1−γ) z + Σ (−1)^k (ζ(k)−1) z^k / k for |z| ≤ ½. */
function logGamma2p(z: number): number {
  let sum = 0;
  for (let k = ZETA_MINUS_ONE.length - 1; k >= 0; k--) sum = ZETA_MINUS_ONE[k]! / (k + 2) - z * sum;
  return z * (1 - EULER_GAMMA + z * sum);
}

/** Both tails of a distribution function, each accurate relative to itself. */
export interface Tails {
  readonly lower: number;
  readonly upper: number;
}

/** P(a, x) as `lower` and Q(a, x) as `upper`, for a > 0 and x ≥ 0. */
export function incompleteGamma(a: number, x: number): Tails {
  if (!(a > 0) || !(x >= 0)) return { lower: Number.NaN, upper: Number.NaN };
  if (x === 0) return { lower: 0, upper: 1 };
  if (x === Number.POSITIVE_INFINITY) return { lower: 1, upper: 0 };
  if (a <= 0.5 && x < 1) return smallShape(a, x);
  if (x < a + 1) {
    const lower = (gammaFactor(a, x) / a) * lowerSeries(a, x);
    return { lower, upper: 1 - lower };
  }
  const upper = gammaFactor(a, x) * upperFraction(a, x);
  return { lower: 1 - upper, upper };
}

/** x^a e^−x / Γ(a). */
export function gammaFactor(a: number, x: number): number {
  const deviation = (x - a) / a;
  return (Math.sqrt(a) / SQRT_TWO_PI) * Math.exp(-a * xMinusLog1p(deviation, x / a) - stirlingRemainder(a));
}

/** 1 + x/(a+1) + x²/((a+1)(a+2)) + … */
function lowerSeries(a: number, x: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; ; n++) {
    term *= x / (a + n);
    const next = sum + term;
    if (next === sum) return sum;
    sum = next;
  }
}

/** 1/(x+1−a − 1(1−a)/(x+3−a − 2(2−a)/(x+5−a − …))). */
function upperFraction(a: number, x: number): number {
  return (
    1 /
    continuedFraction(
      x + 1 - a,
      (n) => -n * (n - a),
      (n) => x + 2 * n + 1 - a,
    )
  );
}

/**
 * a ≤ ½, x < 1: P is near 1, so Q = −expm1(u) − e^u v with x^a/Γ(1+a) = e^u and
 * v = a Σ_{n≥1} (−x)^n / (n! (a+n)) (Gautschi 1979).
 */
function smallShape(a: number, x: number): Tails {
  const u = a * Math.log(x) - logGamma1p(a);
  let term = 1;
  let v = 0;
  for (let n = 1; ; n++) {
    term *= -x / n;
    const next = v + term / (a + n);
    if (next === v) break;
    v = next;
  }
  v *= a;
  const scale = Math.exp(u);
  return { lower: scale * (1 + v), upper: -Math.expm1(u) - scale * v };
}
