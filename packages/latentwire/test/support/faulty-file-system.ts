/** A file system that fails on purpose: the way to see what a full or broken disk does to run files. */
import { type FileSystem, nodeFileSystem } from '../../src/telemetry/file-system.js';

export type SystemCall = keyof FileSystem;

export interface Fault {
  readonly call: SystemCall;
  readonly code: 'ENOSPC' | 'EIO' | 'EDQUOT' | 'EROFS';
  /** Which occurrence of the call fails, from 0. */
  readonly at: number;
  /** How many occurrences fail; all later ones by default. */
  readonly times?: number;
  /** A failing write first takes this many bytes (a disk that fills up in the middle of a line). */
  readonly shortBy?: number;
}

/** The real file system, with `faults`; `calls` lists what was called. */
export function faultyFileSystem(...faults: readonly Fault[]): FileSystem & { readonly calls: SystemCall[] } {
  const calls: SystemCall[] = [];
  const check = (call: SystemCall): Fault | undefined => {
    const index = calls.filter((name) => name === call).length;
    calls.push(call);
    return faults.find(
      (f) => f.call === call && index >= f.at && index < f.at + (f.times ?? Number.POSITIVE_INFINITY),
    );
  };
  const failed = (fault: Fault) => Object.assign(new Error(`${fault.code}: simulated`), { code: fault.code });
  const guard = <A extends unknown[], R>(call: SystemCall, action: (...args: A) => R) => {
    return (...args: A): R => {
      const fault = check(call);
      if (fault !== undefined) throw failed(fault);
      return action(...args);
    };
  };
  return {
    calls,
    open: guard('open', nodeFileSystem.open),
    write: (fd, bytes) => {
      const fault = check('write');
      if (fault === undefined) return nodeFileSystem.write(fd, bytes);
      if (fault.shortBy !== undefined)
        nodeFileSystem.write(fd, bytes.subarray(0, bytes.length - fault.shortBy));
      throw failed(fault);
    },
    fsync: guard('fsync', nodeFileSystem.fsync),
    truncate: guard('truncate', nodeFileSystem.truncate),
    close: guard('close', nodeFileSystem.close),
    rename: guard('rename', nodeFileSystem.rename),
    unlink: guard('unlink', nodeFileSystem.unlink),
  };
}
