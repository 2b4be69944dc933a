/**
 * The one error class of this package. `kind` is what programs branch on; the message says what was asked of Slurm
 * and what it answered; the hint says the next step. Nobody has to parse Slurm's own sentences.
 */

export type SlurmErrorKind =
  /** a job description that cannot become a script: wrong value, control character, … */
  | 'invalid-spec'
  /** the command is not on PATH */
  | 'not-installed'
  /** no slurm.conf, or one that this machine cannot read */
  | 'not-configured'
  /** slurmctld does not answer */
  | 'controller-unreachable'
  /** the command did not end in time */
  | 'timed-out'
  | 'no-such-job'
  /** account unknown, expired, or not allowed here */
  | 'invalid-account'
  | 'invalid-partition'
  | 'invalid-qos'
  /** more jobs than the account, QOS or cluster allows now */
  | 'limit-reached'
  /** one job that is larger or longer than the account or QOS ever allows */
  | 'exceeds-limit'
  /** no node could ever run it */
  | 'impossible-request'
  | 'invalid-dependency'
  | 'permission-denied'
  /** the job was submitted with --no-requeue, or is in a state that cannot be requeued */
  | 'not-requeueable'
  /** accounting is switched off: there is no sacct history */
  | 'no-accounting'
  /** the accounting database (slurmdbd) does not answer; the controller may all the same */
  | 'accounting-unreachable'
  /** output that is not what this version of the reader expects */
  | 'unreadable-output'
  /** anything else Slurm said no to */
  | 'refused';

export interface SlurmErrorOptions {
  readonly kind: SlurmErrorKind;
  /** The next step for the reader, one sentence. */
  readonly hint?: string;
  /** What was run, e.g. `sbatch --parsable`. */
  readonly command?: string;
  /** What it printed to stderr. */
  readonly output?: string;
  readonly cause?: unknown;
}

export class SlurmError extends Error {
  override readonly name = 'SlurmError';
  readonly kind: SlurmErrorKind;
  readonly hint: string | undefined;
  readonly command: string | undefined;
  readonly output: string | undefined;

  constructor(message: string, options: SlurmErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = options.kind;
    this.hint = options.hint;
    this.command = options.command;
    this.output = options.output;
  }
}
