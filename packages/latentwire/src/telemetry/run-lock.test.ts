import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { type LockOwner, RunLock } from './run-lock.js';

const within = temporaryFolder();
let next = 0;
const fresh = (): string => {
  const folder = within(`run-${next++}`);
  fs.mkdirSync(folder);
  return `${folder}/run.lock`;
};

/** A lock that some other process left. */
function leave(file: string, changes: Partial<LockOwner>, ageSeconds = 0): void {
  const owner: LockOwner = {
    ...{ host: os.hostname(), pid: process.pid, process_start: null, started_at: '2026-01-05T10:00:00.000Z' },
    ...{ slurm_job: null, slurm_restarts: 0, token: 'other' },
    ...changes,
  };
  fs.writeFileSync(file, JSON.stringify(owner));
  const time = Date.now() / 1000 - ageSeconds;
  fs.utimesSync(file, time, time);
}

/** An id that no process has any more. */
function deadPid(): number {
  return Number(spawnSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).stdout);
}

const folderOf = (file: string): string[] => fs.readdirSync(file.replace('/run.lock', ''));

describe('RunLock', () => {
  it('lets one process in, names it to the second, and leaves nothing behind', () => {
    const file = fresh();
    const lock = RunLock.acquire(file, {});
    expect(() => RunLock.acquire(file, {})).toThrow(new RegExp(`process ${process.pid} on ${os.hostname()}`));
    expect(folderOf(file)).toEqual(['run.lock']);
    lock.release();
    lock.release();
    expect(folderOf(file)).toEqual([]);
    RunLock.acquire(file, {}).release();
  });

  it('takes over from a process that is gone, or whose id was given to another', () => {
    for (const changes of [{ pid: deadPid() }, { process_start: '1' }]) {
      const file = fresh();
      leave(file, changes);
      RunLock.acquire(file, {}).release();
      expect(folderOf(file)).toEqual([]);
    }
  });

  it('takes over from an earlier start of the same Slurm job on another node, at once', () => {
    const file = fresh();
    leave(file, { host: 'n1', slurm_job: '77', slurm_restarts: 1 });
    const env = (restarts: string) => ({ SLURM_JOB_ID: '77', SLURM_RESTART_COUNT: restarts });
    expect(() => RunLock.acquire(file, env('1'))).toThrow('Slurm job 77');
    RunLock.acquire(file, env('2')).release();
  });

  it('believes another host as long as its lease is fresh', () => {
    const file = fresh();
    leave(file, { host: 'elsewhere' }, 60);
    expect(() => RunLock.acquire(file, {})).toThrow('on elsewhere');
    leave(file, { host: 'elsewhere' }, 600);
    RunLock.acquire(file, {}).release();
  });

  it('tells an owner whose run was taken over, also when whoever took it is done', () => {
    const file = fresh();
    const lock = RunLock.acquire(file, {});
    const old = new Date(Date.now() - 200_000);
    fs.utimesSync(file, old, old);
    lock.confirm();
    expect(Date.now() - fs.statSync(file).mtimeMs).toBeLessThan(100_000);
    leave(file, { host: 'n2', pid: 7 });
    expect(() => lock.confirm()).toThrow('process 7 on n2 took it over');
    fs.rmSync(file);
    expect(() => lock.confirm()).toThrow('its lock is gone');
    lock.release();
    lock.confirm();
  });

  it('takes over a lock that nobody can read, and never removes one that is not its own', () => {
    const file = fresh();
    fs.writeFileSync(file, 'torn');
    const lock = RunLock.acquire(file, {});
    leave(file, { host: 'elsewhere' });
    lock.release();
    expect(fs.existsSync(file)).toBe(true);
  });
});
