/** node_modules must be rebuilt exactly when it differs from the lockfile, and npm's failures must lead to advice. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatError } from '../packages/torch/setup/errors.mjs';
import { npmError, packagesInSync } from './npm-packages.mjs';

/** @type {string} */
let root;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'latentwire-npm-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** @type {Record<string, object>} */
const wanted = {
  '': { name: 'root' },
  'packages/torch': { version: '0.1.0' },
  'node_modules/@latentwire/torch': { resolved: 'packages/torch', link: true },
  'node_modules/zod': { version: '4.0.0', integrity: 'sha512-a' },
  'node_modules/vite/node_modules/fsevents': { version: '2.3.3', integrity: 'sha512-b', optional: true },
};

/**
 * @param {Record<string, object> | undefined} installed
 * @param {Record<string, object>} [lock]
 */
function inSync(installed, lock = wanted) {
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: lock }));
  mkdirSync(join(root, 'packages/torch'), { recursive: true });
  mkdirSync(join(root, 'node_modules/@latentwire'), { recursive: true });
  symlinkSync('../../packages/torch', join(root, 'node_modules/@latentwire/torch'));
  mkdirSync(join(root, 'node_modules/zod'));
  if (installed)
    writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }));
  return packagesInSync(root).inSync;
}

const { 'node_modules/vite/node_modules/fsevents': _, '': __, ...installed } = wanted;

test('an install without packages of other platforms is complete', () => {
  expect(inSync(installed)).toBe(true);
});

test('no node_modules, or one whose install was killed, is not', () => {
  expect(packagesInSync(root).inSync).toBe(false);
  expect(inSync(undefined)).toBe(false);
});

test('another version, another content, one package more in the lockfile are noticed', () => {
  expect(inSync({ ...installed, 'node_modules/zod': { version: '3.9.9', integrity: 'sha512-a' } })).toBe(
    false,
  );
});
test('another content of the same version is noticed', () => {
  expect(inSync({ ...installed, 'node_modules/zod': { version: '4.0.0', integrity: 'sha512-x' } })).toBe(
    false,
  );
});
test('a package that the lockfile has gained is noticed', () => {
  expect(inSync(installed, { ...wanted, 'node_modules/yaml': { version: '2.9.1' } })).toBe(false);
});
test('a folder that somebody removed is noticed', () => {
  inSync(installed);
  rmSync(join(root, 'node_modules/zod'), { recursive: true });
  expect(packagesInSync(root).inSync).toBe(false);
});

describe('npm failures', () => {
  test.each([
    [
      'npm error code ENOTFOUND\nnpm error errno ENOTFOUND\nnpm error network request to https://r/zod failed, reason: getaddrinfo ENOTFOUND r',
      /no connection to the npm registry/,
      /network request/,
    ],
    [
      'npm error code ECONNREFUSED\nnpm error FetchError: request failed, reason: connect ECONNREFUSED 127.0.0.1:9',
      /no connection/,
      /connect ECONNREFUSED/,
    ],
    [
      'npm http fetch GET https://r/zod attempt 3 failed with EAI_AGAIN',
      /no connection to the npm registry/,
      /attempt 3 failed with EAI_AGAIN/,
    ],
    [
      'npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install packages when in sync\nnpm error Missing: zod@4 from lock file',
      /package-lock\.json to agree/,
      /can only install/,
    ],
    [
      'npm error code EINTEGRITY\nnpm error sha512-a integrity checksum failed',
      /npm ci to install the packages, got a failure/,
      /checksum failed/,
    ],
  ])('%j', (output, message, detail) => {
    const text = formatError(
      /** @type {import('../packages/torch/setup/errors.mjs').SetupError} */ (
        npmError({ ...failure, output }, '/log')
      ),
    );
    expect(text).toMatch(message);
    expect(text.split('\n')[1]).toMatch(detail);
    expect(text).toMatch(/ {2}log: \/log\n {2}fix: /);
  });

  test('a full disk is reported as one', () => {
    const output = 'npm error code ENOSPC\nnpm error ENOSPC: no space left on device, write';
    expect(npmError({ ...failure, output }, join(dirname(root), 'log'))).toMatchObject({ code: 'ENOSPC' });
  });
});

const failure = { ok: false, code: 1, missing: false, timedOut: false, output: '', stdout: '' };
