/** What the doctor says. */
import type { RunFiles } from './run-files.js';

export type Cause =
  | 'checkpoint-missing'
  | 'checkpoint-elsewhere'
  | 'checkpoint-damaged'
  | 'checkpoint-of-another-run'
  | 'not-asked-to-resume'
  | 'gpu-data-bound'
  | 'gpu-launch-bound'
  | 'gpu-waits-for-saves'
  | 'gpu-idle-between-steps'
  | 'gpu-small-batch'
  | 'gpu-throttled'
  | 'gpu-not-watched'
  | 'out-of-memory'
  | 'memory-fragmented'
  | 'memory-nearly-full'
  | 'killed-without-save'
  | 'saved-too-late'
  | 'slurm-gave-up'
  | 'slurm-no-requeue'
  | 'loss-not-finite'
  | 'loss-diverged'
  | 'slow-saves'
  | 'disk-full'
  | 'stale-lock'
  | 'two-owners'
  | 'no-progress'
  | 'same-failure'
  | 'failed'
  | 'torn-file'
  | 'damaged-file'
  | 'left-by-killed-save';

export interface Evidence {
  /** Relative to the run directory. */
  readonly file: string;
  readonly figure: string;
}

export interface Finding {
  readonly cause: Cause;
  /** A problem wants something done; a note explains, or mends itself. */
  readonly kind: 'problem' | 'note';
  readonly what: string;
  readonly evidence: readonly Evidence[];
  readonly fix: string;
}

/** Looks at one kind of trouble. */
export type Rule = (run: RunFiles) => readonly Finding[];

export function finding(
  cause: Cause,
  kind: Finding['kind'],
  what: string,
  evidence: readonly (readonly [file: string, figure: string])[],
  fix: string,
): Finding {
  return { cause, kind, what, evidence: evidence.map(([file, figure]) => ({ file, figure })), fix };
}
