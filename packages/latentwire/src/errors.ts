/**
 * The one error class of the product. A message says what was wrong and where ("expected …, got …");
 * `hint` says the next step. The command line prints both and never a stack; `code` picks the exit status.
 */
export type ErrorCode =
  /** bad flag, config value, file or name given by the user: exit 2 */
  | 'input'
  /** a file that is not what it claims to be (corrupt, truncated, unknown version): exit 2 */
  | 'format'
  /** a download that failed */
  | 'network'
  /** the operating system refused (disk full, permission, …) */
  | 'io'
  /** the run, cache or process is in a state that forbids the action */
  | 'state'
  /** the memory of the device did not suffice */
  | 'oom'
  /** a broken promise of our own code */
  | 'internal';

export interface LatentWireErrorOptions {
  readonly code: ErrorCode;
  /** The next step for the reader, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class LatentWireError extends Error {
  override readonly name = 'LatentWireError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(message: string, options: LatentWireErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.hint = options.hint;
  }

  /** Exit status of a command that ends with this error (design: 1 failed, 2 bad usage or input). */
  get exitCode(): 1 | 2 {
    return this.code === 'input' || this.code === 'format' ? 2 : 1;
  }
}

/** The other allowed name closest to `name` by edit distance, or undefined when none is near (for typo hints). */
export function nearestName(name: string, allowed: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of allowed) {
    if (candidate === name) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length]!;
}
