/**
 * The steps of the set-up, in order. Each one first looks whether it has anything to do.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireFreeSpace } from '../packages/torch/setup/disk.mjs';
import { printError, setUpTorch } from '../packages/torch/setup/index.mjs';
import { withLock } from '../packages/torch/setup/lock.mjs';
import { stopChildrenOnSignal } from '../packages/torch/setup/process.mjs';
import { createReporter } from '../packages/torch/setup/report.mjs';
import { installPackages, packagesInSync } from './npm-packages.mjs';
import { compileTypeScript } from './typescript.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** node_modules takes about 300 MB, npm's cache about 100 MB more. */
const PACKAGES_BYTES = 450e6;

/**
 * @param {object} [options]
 * @param {string} [options.root]
 * @param {import('../packages/torch/setup/process.mjs').Env} [options.env]
 * @param {import('../packages/torch/setup/report.mjs').Reporter} [options.report]
 * @returns {Promise<number>} exit code; errors are printed with their fix
 */
export async function setUp({ root = ROOT, env = process.env, report = createReporter() } = {}) {
  stopChildrenOnSignal(() => process.stderr.write('\nstopped; the same command continues from here\n'));
  const all = report.step('ready');
  try {
    report.step('node').done(process.version);

    const packages = report.step('packages');
    const found = packagesInSync(root);
    if (found.inSync) {
      packages.done(`${found.count} npm packages, up to date`);
    } else {
      requireFreeSpace([{ what: 'npm packages', folder: join(root, 'node_modules'), bytes: PACKAGES_BYTES }]);
      packages.done(
        await withLock(join(root, '.setup.lock'), report.note, () =>
          installPackages({ root, env, step: packages }),
        ),
      );
    }

    await setUpTorch({ env, report, packageRoot: join(root, 'packages/torch') });

    const typescript = report.step('typescript');
    typescript.done(await compileTypeScript({ root, env }));

    all.done('all set up');
    return 0;
  } catch (error) {
    return printError(error);
  }
}
