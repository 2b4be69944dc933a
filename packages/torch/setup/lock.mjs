/**
 * A lock file that survives what happens to set-ups: kills, reboots, containers that share a home folder.
 *
 * The holder renews the file's time every few seconds; a lock that is not renewed is dead, whoever held it.
 */
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** @typedef {{ renewMs?: number, deadMs?: number, pollMs?: number }} LockTimes */

/**
 * Runs `work` while holding the lock; waits for another holder first.
 * @template T
 * @param {string} file
 * @param {(text: string) => void} note  told once when another holder has to be waited for
 * @param {() => Promise<T>} work
 * @param {LockTimes} [times]
 * @returns {Promise<T>}
 */
export async function withLock(file, note, work, { renewMs = 5_000, deadMs = 30_000, pollMs = 500 } = {}) {
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  while (!take(file)) {
    if (isDead(file, deadMs)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) note(`waiting for another set-up (${holder(file)}) that holds ${file}`);
    told = true;
    await sleep(pollMs);
  }
  const renew = setInterval(() => utimesSync(file, new Date(), new Date()), renewMs);
  renew.unref();
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(renew);
    process.removeListener('exit', release);
    release();
  }
}

/** @param {string} file */
function take(file) {
  try {
    writeFileSync(file, `process ${process.pid} on ${hostname()}`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * @param {string} file
 * @param {number} deadMs
 */
function isDead(file, deadMs) {
  try {
    return Date.now() - statSync(file).mtimeMs > deadMs || holderDied(file);
  } catch {
    return false; // released in the meantime: the next try takes it
  }
}

/**
 * On this machine a dead holder is known at once by its process number.
 * @param {string} file
 */
function holderDied(file) {
  const [, pid, host] = /^process (\d+) on (.*)$/.exec(readFileSync(file, 'utf8')) ?? [];
  if (pid === undefined || host !== hostname()) return false;
  return !isAlive(Number(pid));
}

/**
 * A zombie counts as dead: it still has its number, but does nothing any more.
 * @param {number} pid
 */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

/** @param {string} file */
function holder(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return 'it just ended';
  }
}
