/**
 * b₀ + a₁/(b₁ + a₂/(b₂ + …)) by the modified Lentz scheme (Lentz 1976; Thompson & Barnett 1986): evaluates
 * from the front, so that the number of terms follows from convergence.
 */
const TINY = 1e-300;
const MAX_TERMS = 200_000;

export function continuedFraction(
  b0: number,
  numerator: (n: number) => number,
  denominator: (n: number) => number,
): number {
  let value = b0 === 0 ? TINY : b0;
  let c = value;
  let d = 0;
  for (let n = 1; n <= MAX_TERMS; n++) {
    const a = numerator(n);
    const b = denominator(n);
    d = b + a * d;
    if (d === 0) d = TINY;
    c = b + a / c;
    if (c === 0) c = TINY;
    d = 1 / d;
    const factor = c * d;
    value *= factor;
    // Two ulps: one rounding of the product cannot keep the loop alive.
    if (Math.abs(factor - 1) <= 4.5e-16) return value;
  }
  return value;
}
