/**
 * The one error class of this package. Bad input is named by argument and, for arrays, by index, so that
 * a NaN among ten thousand scores can be found: "a[4711]: expected a finite number, got NaN".
 */
export interface StatsErrorOptions {
  /** The argument at fault, as the caller wrote it: `a`, `options.alpha`. */
  readonly argument: string;
  /** Position of the offending element when the argument is an array. */
  readonly index?: number;
  /** The next step for the reader, one sentence. */
  readonly hint?: string;
}

export class StatsError extends Error {
  override readonly name = 'StatsError';
  readonly argument: string;
  readonly index: number | undefined;
  readonly hint: string | undefined;

  /** `problem` reads "expected …, got …"; the argument and the index are put in front of it. */
  constructor(problem: string, options: StatsErrorOptions) {
    const where = options.index === undefined ? options.argument : `${options.argument}[${options.index}]`;
    super(`${where}: ${problem}`);
    this.argument = options.argument;
    this.index = options.index;
    this.hint = options.hint;
  }
}

/** What a result wants its reader to know: nothing failed, but a condition of the method is weak. */
export interface Warning {
  readonly code: WarningCode;
  readonly message: string;
}

export type WarningCode =
  /** all values equal: the interval is a point, the test has nothing to test */
  | 'constant-data'
  /** fewer units than the method needs to be trusted */
  | 'small-sample'
  /** fewer clusters than cluster-robust methods need */
  | 'few-clusters'
  /** BCa fell back: bias correction or acceleration not defined */
  | 'degenerate-correction'
  /** resamples in which the statistic (or its standard error) was undefined were left out */
  | 'undefined-resamples'
  /** too few resamples for the requested tail */
  | 'few-resamples'
  /** ties or zero differences change the distribution the method assumes */
  | 'ties'
  /** an infinite or undefined effect size */
  | 'infinite-effect'
  /** items missing from one side were left out of a paired comparison */
  | 'unpaired-items'
  /** an approximation was used where the exact method was too large */
  | 'approximation';
