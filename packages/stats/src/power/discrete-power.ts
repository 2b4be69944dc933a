/**
 * Exact power of tests on counts: sum the probability of every outcome in the rejection region.
 *
 * Proportions: both binomials, rejection by the pooled z test. McNemar: the number of discordant items is binomial, and
 * given it so is their split (Duffy 1984; Lachenbruch 1992).
 */
import { binomial, normal } from '../distributions/index.js';
import { type Alternative, type McNemarMethod, mcnemarPValue } from '../hypothesis/index.js';

/** Masses of Binomial(n, p) on the range where they exceed 1e-18. */
interface Masses {
  readonly from: number;
  readonly values: readonly number[];
}

function binomialMasses(n: number, p: number): Masses {
  const mode = Math.min(n, Math.floor((n + 1) * p));
  const peak = binomial.pmf(mode, n, p);
  const below: number[] = [];
  for (let k = mode, mass = peak; k > 0; ) {
    mass *= (k * (1 - p)) / ((n - k + 1) * p);
    if (!(mass > 1e-18)) break;
    k--;
    below.push(mass);
  }
  const above: number[] = [];
  for (let k = mode, mass = peak; k < n; ) {
    mass *= ((n - k) * p) / ((k + 1) * (1 - p));
    if (!(mass > 1e-18)) break;
    k++;
    above.push(mass);
  }
  return { from: mode - below.length, values: [...below.reverse(), peak, ...above] };
}

export function exactProportionsPower(
  p1: number,
  p2: number,
  n1: number,
  n2: number,
  alpha: number,
  alternative: Alternative,
): number {
  const first = binomialMasses(n1, p1);
  const second = binomialMasses(n2, p2);
  const critical = normal.upperQuantile(alternative === 'two-sided' ? alpha / 2 : alpha);
  const z = (x: number, y: number): number => {
    const pooled = (x + y) / (n1 + n2);
    if (pooled === 0 || pooled === 1) return 0;
    return (x / n1 - y / n2) / Math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2));
  };
  // cumulative[j] = P(Y < from + j)
  const cumulative = [0];
  for (const mass of second.values) cumulative.push(cumulative[cumulative.length - 1]! + mass);
  const all = cumulative[cumulative.length - 1]!;
  let power = 0;
  // As x grows, z rejects upwards for more y: both borders only move right.
  let highBorder = 0;
  let lowBorder = 0;
  first.values.forEach((mass, i) => {
    const x = first.from + i;
    while (highBorder < second.values.length && z(x, second.from + highBorder) >= critical) highBorder++;
    while (lowBorder < second.values.length && z(x, second.from + lowBorder) > -critical) lowBorder++;
    const rejectHigh = alternative === 'less' ? 0 : cumulative[highBorder]!;
    const rejectLow = alternative === 'greater' ? 0 : all - cumulative[lowBorder]!;
    power += mass * (rejectHigh + rejectLow);
  });
  return power;
}

/** Textbook normal approximation (Fleiss, Levin & Paik 2003, 4.14; R's power.prop.test with strict = TRUE). */
export function normalProportionsPower(
  p1: number,
  p2: number,
  n1: number,
  n2: number,
  alpha: number,
  alternative: Alternative,
): number {
  const pooled = (n1 * p1 + n2 * p2) / (n1 + n2);
  const nullError = Math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2));
  const error = Math.sqrt((p1 * (1 - p1)) / n1 + (p2 * (1 - p2)) / n2);
  const gap = p1 - p2;
  const reach = (level: number, sign: 1 | -1): number =>
    normal.cdf((sign * gap - normal.upperQuantile(level) * nullError) / error);
  if (alternative === 'greater') return reach(alpha, 1);
  if (alternative === 'less') return reach(alpha, -1);
  return reach(alpha / 2, 1) + reach(alpha / 2, -1);
}

export function mcnemarPower(
  firstOnly: number,
  secondOnly: number,
  n: number,
  alpha: number,
  alternative: Alternative,
  variant: McNemarMethod,
): number {
  const discordance = firstOnly + secondOnly;
  if (discordance === 0) return 0;
  const share = firstOnly / discordance;
  const discordant = discordance >= 1 ? { from: n, values: [1] } : binomialMasses(n, discordance);
  // Reject when the smaller side has at most `border` items; the border moves by at most one per discordant item.
  let border = -1;
  let power = 0;
  discordant.values.forEach((mass, i) => {
    const m = discordant.from + i;
    if (m === 0) return;
    border = rejectionBorder(m, border, alpha, alternative, variant);
    if (border < 0) return;
    const high = alternative === 'less' ? 0 : binomial.survival(m - border - 1, m, share);
    const low = alternative === 'greater' ? 0 : binomial.cdf(border, m, share);
    power += mass * Math.min(1, high + low);
  });
  return power;
}

/** Largest k such that a split k : m−k (the smaller side k) is rejected; −1 when none is. */
function rejectionBorder(
  m: number,
  start: number,
  alpha: number,
  alternative: Alternative,
  variant: McNemarMethod,
): number {
  // By symmetry the border of 'greater' equals that of 'less'.
  const side: Alternative = alternative === 'two-sided' ? 'two-sided' : 'less';
  const rejects = (k: number): boolean => mcnemarPValue(k, m - k, variant, side) <= alpha;
  let border = start;
  const limit = Math.floor((m - 1) / 2);
  if (border < 0) border = firstGuess(m, alpha);
  while (border >= 0 && !rejects(Math.min(border, limit))) border--;
  border = Math.min(border, limit);
  while (border + 1 <= limit && rejects(border + 1)) border++;
  return border;
}

function firstGuess(m: number, alpha: number): number {
  return Math.max(0, Math.floor(m / 2 - (normal.upperQuantile(alpha / 2) * Math.sqrt(m)) / 2));
}
