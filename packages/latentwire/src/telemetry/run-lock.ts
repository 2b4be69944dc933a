/**
 * One process per run directory. The lock is a file that is linked into place whole (link(2) fails when the name is
 * taken, also on NFS), and says who holds it. A lock is taken over when its owner is known to be gone: its process on
 * this host is dead, or it was an earlier start of the same Slurm job, or (another host, whose processes cannot be
 * seen) it was not renewed for LEASE_SECONDS. An owner that finds its lock taken, or gone with whoever took it, must stop
 * writing: after a node failure the earlier copy of a job may live on.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LatentWireError } from '../errors.js';
import { ioError } from './file-system.js';

/** A lock of another host that was not renewed for this long is stale. */
const LEASE_SECONDS = 300;
/** Shorter than a new copy needs from its start to its first step, so that an old one has stopped by then. */
const RENEW_MS = 5_000;

export interface LockOwner {
  readonly host: string;
  readonly pid: number;
  /** Start of the process in clock ticks since boot (Linux): tells a reused process id apart; null elsewhere. */
  readonly process_start: string | null;
  readonly started_at: string;
  readonly slurm_job: string | null;
  readonly slurm_restarts: number;
  /** Different for every lock ever taken. */
  readonly token: string;
}

export class RunLock {
  readonly path: string;
  readonly owner: LockOwner;
  #renewed = performance.now();
  #held = true;

  private constructor(file: string, owner: LockOwner) {
    this.path = file;
    this.owner = owner;
  }

  /** @throws LatentWireError `state` naming the owner when another process holds it; `io` */
  static acquire(file: string, env: NodeJS.ProcessEnv = process.env): RunLock {
    const owner = thisProcess(env);
    const temporary = `${file}.${owner.token}`;
    try {
      fs.writeFileSync(temporary, `${JSON.stringify(owner)}\n`, { flag: 'wx' });
      for (let round = 0; round < 10; round++) {
        if (linked(temporary, file)) return new RunLock(file, owner);
        const held = readOwner(file);
        if (held === undefined) continue;
        if (held !== 'unreadable' && !isGone(held, owner, file)) throw busy(file, held);
        takeAway(file, held, owner.token);
      }
      throw new LatentWireError(`cannot lock ${file}: other processes keep taking it`, { code: 'state' });
    } catch (error) {
      throw ioError('lock', file, error);
    } finally {
      fs.rmSync(temporary, { force: true });
    }
  }

  /**
   * Renews the lease, at most every 5 s; call it between steps.
   * @throws LatentWireError `state` when another process has taken the run over
   */
  renew(): void {
    if (performance.now() - this.#renewed >= RENEW_MS) this.confirm();
  }

  /**
   * Renews the lease now; call it before something is written that others build on.
   * @throws LatentWireError `state` when another process has taken the run over, be it done with it by now
   */
  confirm(): void {
    if (!this.#held) return;
    this.#renewed = performance.now();
    const owner = ownerNow(this.path);
    if (owner === 'unreadable') return;
    if (owner?.token !== this.owner.token) throw takenOver(this.path, owner);
    const time = new Date();
    try {
      fs.utimesSync(this.path, time, time);
    } catch {
      // A full disk must not end the run; the lease still has minutes.
    }
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    const owner = readOwner(this.path);
    if (owner !== 'unreadable' && owner?.token === this.owner.token) fs.rmSync(this.path, { force: true });
  }
}

/** Who a lock names, and whether that process is still there; undefined: nobody works on the run. Only looks. */
export function lookAtLock(
  file: string,
): { readonly owner: LockOwner | null; readonly state: 'held' | 'gone' | 'unreadable' } | undefined {
  const owner = readOwner(file);
  if (owner === undefined) return undefined;
  if (owner === 'unreadable') return { owner: null, state: 'unreadable' };
  // As another process of this host, outside any job, would see it.
  const here = { ...owner, host: os.hostname(), slurm_job: null };
  return { owner, state: isGone(owner, here, file) ? 'gone' : 'held' };
}

function thisProcess(env: NodeJS.ProcessEnv): LockOwner {
  const started_at = new Date().toISOString();
  const unique = `${os.hostname()} ${process.pid} ${process.hrtime.bigint()} ${started_at}`;
  return {
    host: os.hostname(),
    pid: process.pid,
    process_start: processStart(process.pid),
    started_at,
    slurm_job: env.SLURM_ARRAY_JOB_ID
      ? `${env.SLURM_ARRAY_JOB_ID}_${env.SLURM_ARRAY_TASK_ID}`
      : (env.SLURM_JOB_ID ?? null),
    slurm_restarts: Number(env.SLURM_RESTART_COUNT ?? 0),
    token: createHash('sha256').update(unique).digest('hex').slice(0, 16),
  };
}

function linked(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readOwner(file: string): LockOwner | 'unreadable' | undefined {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const owner = JSON.parse(text) as LockOwner;
    return typeof owner.token === 'string' && typeof owner.pid === 'number' ? owner : 'unreadable';
  } catch {
    return 'unreadable';
  }
}

/** As `readOwner`; a file system that does not answer for once says nothing of the owner. */
function ownerNow(file: string): LockOwner | 'unreadable' | undefined {
  try {
    return readOwner(file);
  } catch {
    return 'unreadable';
  }
}

function isGone(held: LockOwner, me: LockOwner, file: string): boolean {
  if (held.slurm_job !== null && held.slurm_job === me.slurm_job) {
    if (held.slurm_restarts < me.slurm_restarts) return true;
  }
  if (held.host === me.host) return !isAlive(held);
  try {
    return Date.now() - fs.statSync(file).mtimeMs > LEASE_SECONDS * 1000;
  } catch {
    return true;
  }
}

function isAlive({ pid, process_start }: LockOwner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const start = processStart(pid);
  return start === null || process_start === null || start === process_start;
}

/** Field 22 of /proc/PID/stat; null where there is none. A zombie counts as gone. */
function processStart(pid: number): string | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : (fields[19] ?? null);
  } catch {
    return null;
  }
}

/** Moves a stale lock aside; puts it back when it was a new one that somebody took meanwhile. */
function takeAway(file: string, stale: LockOwner | 'unreadable', token: string): void {
  const aside = `${file}.stale-${token}`;
  try {
    fs.renameSync(file, aside);
  } catch {
    return;
  }
  const moved = readOwner(aside);
  const mine = stale === 'unreadable' || moved === 'unreadable' || moved?.token === stale.token;
  if (!mine) linked(aside, file);
  fs.rmSync(aside, { force: true });
}

function busy(file: string, owner: LockOwner): LatentWireError {
  const job = owner.slurm_job === null ? '' : `, Slurm job ${owner.slurm_job}`;
  return new LatentWireError(
    `expected ${path.dirname(file)} to be free, but process ${owner.pid} on ${owner.host}${job} has been working on it since ${owner.started_at}`,
    { code: 'state', hint: 'wait until it ends or stop it; or choose another --save-dir' },
  );
}

function takenOver(file: string, owner: LockOwner | undefined): LatentWireError {
  const by =
    owner === undefined
      ? 'but its lock is gone: another process has worked on it meanwhile, or the lock was removed'
      : `but process ${owner.pid} on ${owner.host} took it over at ${owner.started_at}`;
  return new LatentWireError(`expected ${path.dirname(file)} to be still this process's run, ${by}`, {
    code: 'state',
    hint: 'nothing more is written here; --auto-resume goes on with what the run directory holds',
  });
}
