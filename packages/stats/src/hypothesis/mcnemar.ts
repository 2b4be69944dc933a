/**
 * McNemar's test: two methods judged right or wrong on the same items. Only the discordant items b (first method alone
 * right) and c (second alone right) carry information; under H0 b is Binomial(b+c, ½).
 *
 * 'exact' is the binomial test, 'midp' counts half of the observed outcome (Fagerland, Lydersen & Laake 2013 recommend it:
 * near the nominal level where 'exact' stays well below), 'chi2' the large-sample form. 'auto' is exact below 25
 * discordant items and mid-p from there on.
 */
import { beta, binomial, brentRoot, chiSquared, normal } from '../distributions/index.js';
import { StatsError, type Warning } from '../errors.js';
import { describe, integerAtLeast, oneOf, openUnit } from '../input/index.js';
import {
  type Alternative,
  type ConfidenceInterval,
  pFromTails,
  requireAlternative,
  type TestResult,
} from './result.js';

/** [[both right, only a right], [only b right, neither right]] */
export type PairedTable = readonly [readonly [number, number], readonly [number, number]];

export type McNemarData =
  | { readonly table: PairedTable }
  | {
      readonly predictionsA: ArrayLike<unknown>;
      readonly predictionsB: ArrayLike<unknown>;
      readonly groundTruth: ArrayLike<unknown>;
    };

export type McNemarMethod = 'exact' | 'midp' | 'chi2';

export interface McNemarOptions {
  readonly method?: 'auto' | McNemarMethod;
  /** Edwards' continuity correction of 'chi2'; default true. */
  readonly correction?: boolean;
  readonly alternative?: Alternative;
  readonly confidence?: number;
}

export interface McNemarResult extends TestResult {
  readonly table: PairedTable;
  readonly variant: McNemarMethod;
  /** b/c: odds that the first method is the one that is right where they differ. NaN without discordant items. */
  readonly oddsRatio: number;
  readonly ci: ConfidenceInterval;
}

const EXACT_BELOW = 25;

/** @throws {StatsError} for a table that is not 2 × 2 counts, or predictions of different lengths */
export function mcnemarTest(data: McNemarData, options: McNemarOptions = {}): McNemarResult {
  const table = 'table' in data ? checkedTable(data.table) : correctnessTable(data);
  const requested = oneOf(options.method ?? 'auto', ['auto', 'exact', 'midp', 'chi2'], 'options.method');
  const alternative = requireAlternative(options.alternative);
  const confidence = openUnit(options.confidence ?? 0.95, 'options.confidence');
  const b = table[0][1];
  const c = table[1][0];
  const discordant = b + c;
  const variant = requested !== 'auto' ? requested : discordant < EXACT_BELOW ? 'exact' : 'midp';
  const warnings: Warning[] = [];
  const n = [table[0][0] + b + c + table[1][1]];
  if (discordant === 0) {
    warnings.push({
      code: 'constant-data',
      message: 'The methods agree on every item; there is nothing to test.',
    });
  } else if (variant === 'chi2' && discordant < EXACT_BELOW) {
    warnings.push({
      code: 'approximation',
      message: `Only ${discordant} discordant items: prefer 'exact' or 'midp' to 'chi2' below ${EXACT_BELOW}.`,
    });
  }
  const correction = options.correction ?? true;
  const { statistic, pValue, name } =
    variant === 'chi2'
      ? chiSquareTest(b, c, correction, alternative)
      : binomialTest(b, c, variant, alternative);
  return {
    method: `McNemar, ${name}`,
    variant,
    statistic,
    pValue,
    alternative,
    n,
    table,
    oddsRatio: discordant === 0 ? Number.NaN : b / c,
    ci: { ...oddsLimits(b, discordant, (1 - confidence) / 2, variant), confidence },
    warnings,
  };
}

/** Two-sided or one-sided McNemar p-value for b against c; the kernel that power calculations share. */
export function mcnemarPValue(
  b: number,
  c: number,
  variant: McNemarMethod,
  alternative: Alternative,
  correction = true,
): number {
  return variant === 'chi2'
    ? chiSquareTest(b, c, correction, alternative).pValue
    : binomialTest(b, c, variant, alternative).pValue;
}

interface Outcome {
  readonly statistic: number;
  readonly pValue: number;
  readonly name: string;
}

function binomialTest(b: number, c: number, variant: 'exact' | 'midp', alternative: Alternative): Outcome {
  const m = b + c;
  const half = variant === 'midp' ? 0.5 * binomial.pmf(b, m, 0.5) : 0;
  const name = variant === 'midp' ? 'mid-p' : 'exact binomial';
  if (m === 0) return { statistic: 0, pValue: 1, name };
  const lower = binomial.cdf(b, m, 0.5) - half;
  const upper = binomial.survival(b - 1, m, 0.5) - half;
  return { statistic: Math.min(b, c), pValue: pFromTails(lower, upper, alternative), name };
}

function chiSquareTest(b: number, c: number, correction: boolean, alternative: Alternative): Outcome {
  const name = `χ²${correction ? ' with continuity correction' : ''}`;
  const m = b + c;
  if (m === 0) return { statistic: 0, pValue: 1, name };
  const gap = Math.max(0, Math.abs(b - c) - (correction ? 1 : 0));
  const statistic = (gap * gap) / m;
  if (alternative === 'two-sided') return { statistic, pValue: chiSquared.survival(statistic, 1), name };
  const z = (b - c + (correction ? (alternative === 'less' ? 1 : -1) : 0)) / Math.sqrt(m);
  return { statistic, pValue: alternative === 'less' ? normal.cdf(z) : normal.survival(z), name };
}

/** Limits for b/(b+c) by inverting the same test, turned into odds. */
function oddsLimits(
  b: number,
  m: number,
  tail: number,
  variant: McNemarMethod,
): { readonly low: number; readonly high: number } {
  const odds = (p: number): number => p / (1 - p);
  if (m === 0) return { low: 0, high: Number.POSITIVE_INFINITY };
  if (variant === 'exact') {
    return {
      low: b === 0 ? 0 : odds(beta.quantile(tail, b, m - b + 1)),
      high: b === m ? Number.POSITIVE_INFINITY : odds(beta.upperQuantile(tail, b + 1, m - b)),
    };
  }
  if (variant === 'midp') {
    const mass = (p: number): number => 0.5 * binomial.pmf(b, m, p);
    const lowTail = (p: number): number => binomial.survival(b - 1, m, p) - mass(p) - tail;
    const highTail = (p: number): number => binomial.cdf(b, m, p) - mass(p) - tail;
    const share = b / m;
    return {
      low: b === 0 ? 0 : odds(brentRoot(lowTail, 1e-300, b === m ? 1 : share)),
      high: b === m ? Number.POSITIVE_INFINITY : odds(brentRoot(highTail, b === 0 ? 0 : share, 1)),
    };
  }
  const z = normal.upperQuantile(tail);
  const centre = (b + (z * z) / 2) / (m + z * z);
  const margin = (z / (m + z * z)) * Math.sqrt((b * (m - b)) / m + (z * z) / 4);
  return { low: odds(Math.max(0, centre - margin)), high: odds(Math.min(1, centre + margin)) };
}

function checkedTable(table: PairedTable): PairedTable {
  const shape = Array.isArray(table) && table.length === 2 && table.every((row) => row?.length === 2);
  if (!shape) {
    throw new StatsError(`expected a 2 × 2 array of counts, got ${describe(table)}`, {
      argument: 'data.table',
    });
  }
  table.forEach((row, i) => {
    row.forEach((count, j) => {
      integerAtLeast(count, 0, `data.table[${i}][${j}]`);
    });
  });
  return table;
}

function correctnessTable(data: Exclude<McNemarData, { table: PairedTable }>): PairedTable {
  const { predictionsA, predictionsB, groundTruth } = data;
  const n = groundTruth?.length ?? 0;
  if (n === 0) throw new StatsError('expected at least 1 value, got none', { argument: 'data.groundTruth' });
  for (const name of ['predictionsA', 'predictionsB'] as const) {
    const length = data[name]?.length;
    if (length !== n) {
      throw new StatsError(`expected ${n} values, one for each of groundTruth, got ${describe(length)}`, {
        argument: `data.${name}`,
      });
    }
  }
  const counts = [0, 0, 0, 0] as [number, number, number, number];
  for (let i = 0; i < n; i++) {
    const truth = groundTruth[i];
    if (truth === undefined || truth === null || Number.isNaN(truth)) {
      throw new StatsError(`expected a label, got ${describe(truth)}`, {
        argument: 'data.groundTruth',
        index: i,
      });
    }
    counts[(predictionsA[i] === truth ? 0 : 2) + (predictionsB[i] === truth ? 0 : 1)]!++;
  }
  return [
    [counts[0], counts[1]],
    [counts[2], counts[3]],
  ];
}
