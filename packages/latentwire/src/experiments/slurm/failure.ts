/** Slurm's refusals in the product's own error class, so that commands print them like any other. */
import { SlurmError, type SlurmErrorKind } from '@latentwire/slurm';
import { type ErrorCode, LatentWireError } from '../../errors.js';

const CODES: Partial<Record<SlurmErrorKind, ErrorCode>> = {
  'invalid-spec': 'input',
  'invalid-account': 'input',
  'invalid-partition': 'input',
  'invalid-qos': 'input',
  'exceeds-limit': 'input',
  'impossible-request': 'input',
  'invalid-dependency': 'input',
  'no-such-job': 'input',
  'unreadable-output': 'format',
};

/** The result of `action`; a SlurmError becomes a LatentWireError with the same message and hint. */
export async function withSlurmErrors<T>(action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof SlurmError)) throw error;
    throw new LatentWireError(error.message, {
      code: CODES[error.kind] ?? 'state',
      ...(error.hint !== undefined && { hint: error.hint }),
      cause: error,
    });
  }
}
