/**
 * A disk that fails on purpose, for `latentwire drill disk-full`: LATENTWIRE_SAVE_FAULT="ENOSPC:2-4" lets saves 2 to 4
 * of a process fail in the middle of their writes, the way a full disk does.
 */
import type * as t from '@latentwire/torch';

const PATTERN = /^(ENOSPC|EIO|EDQUOT):(\d+)-(\d+)$/;
/** A write in the middle of the file: after the open and some tensors. */
const CALL = 2;

/** Faults for the saves of this process in turn; undefined when none are asked for. */
export function saveFaultsOf(env: NodeJS.ProcessEnv): (() => t.SaveFault | undefined) | undefined {
  const match = PATTERN.exec(env.LATENTWIRE_SAVE_FAULT ?? '');
  if (match === null) return undefined;
  const [, code, first, last] = match;
  let saves = 0;
  return () => {
    saves++;
    const fails = saves >= Number(first) && saves <= Number(last);
    return fails ? { at: CALL, kind: 'short-error', code: code as 'ENOSPC' } : undefined;
  };
}
