/** Job ids: `12`, or `12_3` for a task of an array. */
import { SlurmError } from '../errors.js';

const JOB_ID = /^\d+(?:_\d+)?$/;

/** @throws SlurmError `invalid-spec` on what is no job id (so it can never be taken for an option either) */
export function checkedId(id: string): string {
  if (JOB_ID.test(id)) return id;
  throw new SlurmError(`expected a job id such as 12 or 12_3, got ${JSON.stringify(id)}`, {
    kind: 'invalid-spec',
  });
}
