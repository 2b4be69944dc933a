/** A set-up that cannot fit must say so before it starts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folderBytes, nearestExisting, readFileSystem, requireFreeSpace } from './disk.mjs';
import { formatError } from './errors.mjs';
import { formatBytes, formatSeconds } from './report.mjs';

/** @returns {string} the text of what it throws */
function refusal(/** @type {() => void} */ act) {
  try {
    act();
  } catch (error) {
    return formatError(/** @type {import('./errors.mjs').SetupError} */ (error));
  }
  return '';
}

test('names what is needed, what is free and which folder', () => {
  const needs = [{ what: 'torch (cpu)', folder: '/cache/torch', bytes: 1.8e9 }];
  const text = refusal(() => requireFreeSpace(needs, () => ({ device: 1, free: 0.5e9 })));
  expect(text).toBe(
    'error: expected 1.8 GB of free disk, got 500 MB: 1.8 GB for torch (cpu) in /cache/torch\n' +
      '  fix: free 1.3 GB there and run the same command again\n' +
      '   or: put the cache elsewhere: LATENTWIRE_CACHE=/big/disk/latentwire',
  );
});

test('needs on one file system add up, needs on two do not', () => {
  const needs = [
    { what: 'a', folder: '/one', bytes: 600 },
    { what: 'b', folder: '/two', bytes: 600 },
  ];
  let device = 0;
  expect(refusal(() => requireFreeSpace(needs, () => ({ device: 0, free: 1000 })))).toMatch(
    /in \/one, .* in \/two/,
  );
  expect(refusal(() => requireFreeSpace(needs, () => ({ device: device++, free: 1000 })))).toBe('');
});

test('a folder that does not exist yet is measured at its nearest ancestor', () => {
  expect(nearestExisting('/tmp/no/such/folder')).toBe('/tmp');
  expect(readFileSystem(nearestExisting('/tmp/no/such')).free).toBeGreaterThan(0);
});

test('the size of a folder counts what is inside its folders', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latentwire-disk-'));
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'sub/file'), Buffer.alloc(100_000));
  expect(folderBytes(folder)).toBeGreaterThanOrEqual(100_000);
  rmSync(folder, { recursive: true });
});

test('sizes and times read as people write them', () => {
  expect([999, 5e6, 539.1e6, 1.25e9].map(formatBytes)).toEqual(['1 kB', '5 MB', '539 MB', '1.3 GB']);
  expect([400, 59_900, 192_000].map(formatSeconds)).toEqual(['0.4 s', '59.9 s', '3 min 12 s']);
});
