/**
 * Which process is meant, so that a claim can be checked: a pid alone may belong to another program, another
 * container or the machine before its reboot.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';

export interface ProcessIdentity {
  /** Machine, its start and its pid namespace: pids are comparable only where all three are equal. */
  readonly host: string;
  readonly pid: number;
  /** Start of the process in clock ticks since boot, where the system tells it. */
  readonly started: string | null;
}

let machine: string | undefined;

export function hostIdentity(): string {
  machine ??= [
    os.hostname(),
    attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    attempt(() => readlinkSync('/proc/self/ns/pid')),
  ].join('/');
  return machine;
}

/** Name of the machine in an identity, for people. */
export function hostName(identity: ProcessIdentity): string {
  return identity.host.split('/')[0]!;
}

/** The process `pid` of this machine. */
export function processIdentity(pid: number): ProcessIdentity {
  return { host: hostIdentity(), pid, started: startOf(pid) };
}

/** false: certainly gone; undefined: it is (or was) elsewhere and cannot be asked. */
export function isAlive(identity: ProcessIdentity): boolean | undefined {
  if (identity.host !== hostIdentity()) return undefined;
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const started = startOf(identity.pid);
  if (started === 'zombie') return false;
  return identity.started === null || started === null || started === identity.started;
}

/** Field 22 of /proc/PID/stat (proc(5)); the command in field 2 may hold blanks and brackets. */
function startOf(pid: number): string | null {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat === '') return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'zombie' : (fields[19] ?? null);
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
