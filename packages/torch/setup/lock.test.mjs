/** Two set-ups must never write the cache at once, and a dead one must never block the next. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from './lock.mjs';

/** @type {string} */
let folder;
/** @type {string[]} */
let notes;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latentwire-lock-'));
  notes = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const take = (/** @type {() => Promise<unknown>} */ work, deadMs = 30_000) =>
  withLock(join(folder, 'lock'), (text) => notes.push(text), work, { renewMs: 10, deadMs, pollMs: 5 });

test('work under the lock never overlaps', async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await sleep(10);
    inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => take(work)));
  expect(most).toBe(1);
  expect(notes.length).toBe(4);
});

test('it is released when the work fails', async () => {
  await expect(take(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await take(async () => 'yes')).toBe('yes');
  expect(notes).toEqual([]);
});

test('the lock of a process that died on this machine is taken at once', async () => {
  writeFileSync(join(folder, 'lock'), `process 999999999 on ${hostname()}`);
  expect(await take(async () => 'yes')).toBe('yes');
  expect(notes).toEqual([]);
});

test('a killed process that nobody has waited for counts as dead', async () => {
  // The shell becomes `sleep`, which never waits for the child that the shell had started.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 30'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [pid] = await once(parent.stdout, 'data');
    while (!/\) Z /.test(readFileSync(`/proc/${String(pid).trim()}/stat`, 'utf8'))) await sleep(5);
    writeFileSync(join(folder, 'lock'), `process ${String(pid).trim()} on ${hostname()}`);
    expect(await take(async () => 'yes')).toBe('yes');
    expect(notes).toEqual([]);
  } finally {
    parent.kill();
  }
});

test('the lock of another machine is taken when it is no longer renewed', async () => {
  const lock = join(folder, 'lock');
  writeFileSync(lock, 'process 1 on elsewhere');
  const old = new Date(Date.now() - 60_000);
  utimesSync(lock, old, old);
  expect(await take(async () => 'yes')).toBe('yes');
});

test('a lock that is renewed is waited for, with a word about who holds it', async () => {
  const lock = join(folder, 'lock');
  writeFileSync(lock, 'process 1 on elsewhere');
  const taken = take(async () => 'yes');
  await sleep(50);
  expect(notes).toEqual([expect.stringMatching(/waiting for another set-up \(process 1 on elsewhere\)/)]);
  rmSync(lock);
  expect(await taken).toBe('yes');
});
