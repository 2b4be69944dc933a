/** Arrays and dependencies as sbatch writes them, for command lines and job files: the inverse of `directives`. */
import { SlurmError } from '../errors.js';
import { parseIndices } from '../queue/index.js';
import type { ArraySpec, Dependency, DependencyKind } from './job-spec.js';

const KINDS: readonly DependencyKind[] = ['after', 'afterok', 'afternotok', 'afterany', 'aftercorr'];
/** `0-5,8%2`, `0-15:5`. @throws SlurmError `invalid-spec` */
export function parseArray(text: string, field: string): ArraySpec {
  const [, list = '', atOnce] = /^([^%]*)(?:%(\d+))?$/.exec(text) ?? [];
  // No index has more digits (MaxArraySize), and no range more indices than fit into memory.
  const indices = /\d{8}/.test(list) ? undefined : parseIndices(list);
  if (indices === undefined || indices.length === 0) {
    throw invalid(field, 'indices such as 0-11, 1,5,8 or 0-11%4', text);
  }
  return { indices, ...(atOnce !== undefined && { atOnce: Number(atOnce) }) };
}

/** `afterok:12:13_1`; several with commas between them. @throws SlurmError `invalid-spec` */
export function parseDependencies(text: string, field: string): Dependency[] {
  return text.split(',').map((part) => {
    const [kind, ...jobs] = part.split(':');
    if (!(KINDS as readonly (string | undefined)[]).includes(kind) || jobs.length === 0) {
      throw invalid(field, `a condition such as afterok:12:13_1 (${KINDS.join(', ')})`, part);
    }
    return { kind: kind as DependencyKind, jobs };
  });
}

function invalid(field: string, expected: string, got: string): SlurmError {
  return new SlurmError(`${field}: expected ${expected}, got ${JSON.stringify(got)}`, {
    kind: 'invalid-spec',
  });
}
