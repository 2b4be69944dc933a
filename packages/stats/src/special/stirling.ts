/**
 * Two small functions on which the accuracy of every tail probability rests.
 *
 * Densities such as x^a e^−x / Γ(a) are quotients of huge numbers; taking logarithms and subtracting loses
 * as many digits as the logarithms are long. Loader (2000), "Fast and accurate computation of binomial
 * probabilities", writes them as exp(−deviance) times a Stirling remainder instead. The deviance needs
 * u − ln(1+u) without cancellation, the remainder needs ln Γ minus Stirling's formula without cancellation.
 */

/** u − ln(1+u) for u > −1, accurate near 0 where both terms agree. `onePlusU` is passed when known better. */
export function xMinusLog1p(u: number, onePlusU = 1 + u): number {
  if (u < -0.5 || u > 1) return u - Math.log(onePlusU);
  // ln(1+u) = 2 artanh(s) with s = u/(2+u), hence u − ln(1+u) = u·s − 2(s³/3 + s⁵/5 + …).
  const s = u / (2 + u);
  const s2 = s * s;
  let power = s * s2;
  let sum = power / 3;
  for (let k = 5; ; k += 2) {
    power *= s2;
    const next = sum + power / k;
    if (next === sum) return u * s - 2 * sum;
    sum = next;
  }
}

/** Coefficients B_2k / (2k (2k−1)) of Stirling's series (DLMF 5.11.1). */
const STIRLING_SERIES = [
  1 / 12,
  -1 / 360,
  1 / 1260,
  -1 / 1680,
  1 / 1188,
  -691 / 360360,
  1 / 156,
  -3617 / 122400,
] as const;

/**
 * Stirling remainder (Binet's function): ln Γ(x) − [(x−½) ln x − x + ½ ln 2π], positive and decreasing.
 * For x < 12 the recurrence J(x) = J(x+1) + (x+½) ln(1+1/x) − 1 adds positive terms only.
 */
export function stirlingRemainder(x: number): number {
  let shift = 0;
  while (x < 12) {
    shift += recurrenceStep(x);
    x += 1;
  }
  const inverse = 1 / x;
  const inverse2 = inverse * inverse;
  let series = 0;
  for (let k = STIRLING_SERIES.length - 1; k >= 0; k--) series = series * inverse2 + STIRLING_SERIES[k]!;
  return shift + series * inverse;
}

/** (x+½) ln(1+1/x) − 1 = artanh(s)/s − 1 with s = 1/(2x+1). */
function recurrenceStep(x: number): number {
  if (x < 0.5) return (x + 0.5) * (Math.log1p(x) - Math.log(x)) - 1;
  const s = 1 / (2 * x + 1);
  const s2 = s * s;
  let power = s2;
  let sum = s2 / 3;
  for (let k = 5; ; k += 2) {
    power *= s2;
    const next = sum + power / k;
    if (next === sum) return sum;
    sum = next;
  }
}
