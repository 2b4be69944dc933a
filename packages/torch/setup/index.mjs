/**
 * Sets up libtorch for this package: finds or installs torch, builds the addon. Safe to call at every start.
 *
 *   import { setUpTorch } from '@latentwire/torch/setup';
 *   const { addon, torch } = await setUpTorch();
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAddon, findAddon } from './addon.mjs';
import { cacheFolders, createCache } from './cache.mjs';
import { requireFreeSpace } from './disk.mjs';
import { SetupError } from './errors.mjs';
import { findPrivateTorch, findTorch, wantsCuda } from './find-torch.mjs';
import { withLock } from './lock.mjs';
import { installTorch } from './private-torch.mjs';
import { createReporter, formatBytes } from './report.mjs';

export { formatError, printError, SetupError } from './errors.mjs';

/** Free bytes wanted for the addon and the compiler's temporary files. */
const BUILD_BYTES = 100e6;

/**
 * @param {object} [options]
 * @param {import('./process.mjs').Env} [options.env]
 * @param {import('./report.mjs').Reporter} [options.report]
 * @param {string} [options.packageRoot]
 * @returns {Promise<import('./addon.mjs').AddonRecord>}
 * @throws {SetupError} with the fix; anything else thrown is a bug
 */
export async function setUpTorch({
  env = process.env,
  report = createReporter(),
  packageRoot = ownPackage(),
} = {}) {
  if (process.platform !== 'linux') {
    throw new SetupError(
      'platform',
      `expected Linux (libtorch is linked with its Linux wheels), got ${process.platform}`,
      {
        fix: 'use Linux, a container, or WSL 2',
      },
    );
  }
  const cache = cacheFolders(env);
  const step = report.step('torch');
  const cuda = await wantsCuda(env);
  const torch =
    (await findTorch(env, cache, cuda)) ??
    (await underLock(cache, report, () => install({ cache, env, cuda, report, step })));
  step.done(`${torch.version} of ${describe(torch)}`);

  const addonStep = report.step('addon');
  const options = { packageRoot, torch, cache, env };
  const addon =
    (await findAddon(options)) ??
    (await underLock(cache, report, async () => {
      requireFreeSpace([{ what: 'the addon', folder: cache.addon, bytes: BUILD_BYTES }]);
      // Another set-up may have built it while this one waited for the lock.
      return (await findAddon(options)) ?? buildAddon({ ...options, report, step: addonStep });
    }));
  addonStep.done(addon.note);
  return addon.record;
}

/**
 * @param {Parameters<typeof installTorch>[0]} options
 * @returns {Promise<import('./torch-package.mjs').Torch>}
 */
async function install(options) {
  const madeMeanwhile = findPrivateTorch(options.cache, options.cuda);
  if (madeMeanwhile) return madeMeanwhile;
  const { torch, downloadedBytes, diskBytes } = await installTorch(options);
  options.report.note(
    `installed torch ${torch.version}: ${formatBytes(downloadedBytes)} downloaded, ${formatBytes(diskBytes)} on disk`,
  );
  return torch;
}

/**
 * Only who writes takes the lock: a finished set-up works with a cache that is read-only.
 * @template T
 * @param {import('./cache.mjs').Cache} cache
 * @param {import('./report.mjs').Reporter} report
 * @param {() => Promise<T>} work
 */
function underLock(cache, report, work) {
  createCache(cache);
  return withLock(join(cache.root, 'lock'), report.note, work);
}

/** @param {import('./torch-package.mjs').Torch} torch */
function describe({ source, path }) {
  const origin = { env: 'LATENTWIRE_TORCH', python3: 'python3', private: 'the cache' }[source];
  return `${origin} (${path})`;
}

/** The package this file is part of. */
function ownPackage() {
  return dirname(dirname(fileURLToPath(import.meta.url)));
}
