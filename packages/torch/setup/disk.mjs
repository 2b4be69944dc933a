/**
 * Free disk space: asked before anything large is written, so that a set-up never dies half-way for want of room.
 */
import { existsSync, lstatSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SetupError } from './errors.mjs';
import { formatBytes } from './report.mjs';

/** @typedef {{ what: string, folder: string, bytes: number }} Need */
/** @typedef {(path: string) => { device: number, free: number }} DiskReader */

/**
 * Refuses, before the work starts, when a file system cannot hold what will be written to it.
 * @param {readonly Need[]} needs  peak bytes per folder, temporary files included
 * @param {DiskReader} [readDisk]
 * @throws {SetupError} no-disk, naming each thing, the bytes needed and free, and the folder
 */
export function requireFreeSpace(needs, readDisk = readFileSystem) {
  /** @type {Map<number, { free: number, needs: Need[] }>} */
  const disks = new Map();
  for (const need of needs) {
    const { device, free } = readDisk(nearestExisting(need.folder));
    const disk = disks.get(device) ?? { free, needs: [] };
    disk.needs.push(need);
    disks.set(device, disk);
  }
  for (const { free, needs: onDisk } of disks.values()) {
    const total = onDisk.reduce((sum, need) => sum + need.bytes, 0);
    if (total <= free) continue;
    const parts = onDisk.map((need) => `${formatBytes(need.bytes)} for ${need.what} in ${need.folder}`);
    throw new SetupError(
      'no-disk',
      `expected ${formatBytes(total)} of free disk, got ${formatBytes(free)}: ${parts.join(', ')}`,
      {
        fix: [
          `free ${formatBytes(total - free)} there and run the same command again`,
          'put the cache elsewhere: LATENTWIRE_CACHE=/big/disk/latentwire',
        ],
      },
    );
  }
}

/**
 * @param {string} path
 * @returns {{ device: number, free: number }} free: bytes an ordinary user may still write
 */
export function readFileSystem(path) {
  const { bavail, bsize } = statfsSync(path);
  return { device: statSync(path).dev, free: bavail * bsize };
}

/**
 * @param {string} path
 * @returns {string} the path itself, or its closest ancestor that exists
 */
export function nearestExisting(path) {
  let at = resolve(path);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

/**
 * Bytes that a folder takes on disk (allocated blocks, links not followed).
 * @param {string} folder
 * @returns {number}
 */
export function folderBytes(folder) {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    bytes += entry.isDirectory() ? folderBytes(path) : lstatSync(path).blocks * 512;
  }
  return bytes;
}
