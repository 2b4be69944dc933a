/**
 * npm packages: whether node_modules holds exactly what package-lock.json asks for, and `npm ci` when it does not.
 *
 * npm writes what it has installed to node_modules/.package-lock.json as its last act, so comparing the two files
 * notices a changed lockfile as well as a killed install, and leaves alone what `npm install` made by hand.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { folderBytes } from '../packages/torch/setup/disk.mjs';
import { SetupError } from '../packages/torch/setup/errors.mjs';
import { run, which } from '../packages/torch/setup/process.mjs';
import { formatBytes, formatSeconds } from '../packages/torch/setup/report.mjs';

/** @typedef {import('../packages/torch/setup/process.mjs').Env} Env */
/** @typedef {{ version?: string, integrity?: string, link?: boolean, optional?: boolean }} LockEntry */

/** Requests that may fail before the first answer; npm has fifteen under way at once. */
const ENOUGH_FAILURES = 20;

/**
 * @param {string} root
 * @returns {{ inSync: boolean, count: number }} count: packages installed
 */
export function packagesInSync(root) {
  const wanted = readLock(join(root, 'package-lock.json'));
  const installed = readLock(join(root, 'node_modules/.package-lock.json'));
  if (!wanted || !installed) return { inSync: false, count: 0 };
  let count = 0;
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes('node_modules/')) continue; // the root and the workspaces themselves
    const found = installed[path];
    if (!found && entry.optional) continue; // for another platform
    if (!found || !existsSync(join(root, path))) return { inSync: false, count: 0 };
    if (entry.version !== found.version || entry.integrity !== found.integrity)
      return { inSync: false, count: 0 };
    count++;
  }
  return { inSync: true, count };
}

/**
 * @param {string} file
 * @returns {Record<string, LockEntry> | undefined}
 */
function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * @param {{ root: string, env: Env, step: import('../packages/torch/setup/report.mjs').Step }} options
 * @returns {Promise<string>} what to print
 * @throws {SetupError} npm, no-network, no-disk
 */
export async function installPackages({ root, env, step }) {
  if (packagesInSync(root).inSync) return 'npm packages: another set-up just installed them';
  const [command, ...first] = npmCommand(env);
  const log = join(root, 'npm-ci.log');
  rmSync(log, { force: true });
  const started = performance.now();
  const ticker = setInterval(
    () => step.progress(`npm ci: ${formatSeconds(performance.now() - started)} so far`),
    1000,
  );
  const retries = ['--fetch-retries=3', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=8000'];
  const args = [...first, 'ci', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=http', ...retries];
  // Without a network npm tries each package four times, for minutes; this many failures and no answer are enough.
  const giveUp = new AbortController();
  let answers = 0;
  let failures = 0;
  const result = await run(command, args, {
    cwd: root,
    env,
    log,
    signal: giveUp.signal,
    onLine(line) {
      if (/^npm http fetch GET [23]\d\d /.test(line)) answers++;
      if (/^npm http .* attempt \d+ failed with /.test(line)) failures++;
      if (answers === 0 && failures >= ENOUGH_FAILURES) giveUp.abort();
    },
  }).finally(() => clearInterval(ticker));
  if (!result.ok) throw npmError(result, log);
  rmSync(log, { force: true });
  return `${packagesInSync(root).count} npm packages, ${formatBytes(folderBytes(join(root, 'node_modules')))} on disk`;
}

/**
 * The npm that started us, else the one on PATH.
 * @param {Env} env
 * @returns {[string, ...string[]]}
 */
function npmCommand(env) {
  const own = env.npm_execpath;
  if (own && basename(own) === 'npm-cli.js' && existsSync(own)) return [process.execPath, own];
  if (which('npm', env)) return ['npm'];
  throw new SetupError('npm', 'expected npm on PATH, found none', {
    fix: 'install npm (it comes with Node) and put it on PATH',
  });
}

/**
 * @param {import('../packages/torch/setup/process.mjs').RunResult} result
 * @param {string} log
 */
export function npmError({ output, code }, log) {
  const lines = output.split('\n');
  const telling = (/** @type {string} */ line) =>
    /^npm (error|ERR!)\s+\S/i.test(line) && !/error code|A complete log|errno|syscall/i.test(line);
  const attempt = lines.findLast((line) => /attempt \d+ failed with/.test(line));
  const detail = (lines.find(telling) ?? attempt ?? `npm ci ended with code ${code}`).slice(0, 300);
  const network =
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT|ERR_TLS|SELF_SIGNED_CERT\w*|UNABLE_TO_\w+)\b/;
  if (network.test(output)) {
    return new SetupError(
      'no-network',
      'expected npm to download packages, got no connection to the npm registry',
      {
        detail,
        log,
        fix: 'connect (behind a proxy or mirror: npm config set proxy, registry or cafile), then run the same command again: it continues',
      },
    );
  }
  if (/\bENOSPC\b/.test(output))
    return Object.assign(new Error(detail), { code: 'ENOSPC', path: 'node_modules or the cache of npm' });
  if (/\bEUSAGE\b|can only install.*in sync/.test(output)) {
    return new SetupError(
      'npm',
      'expected package-lock.json to agree with the package.json files, got a difference',
      {
        detail,
        log,
        fix: 'update the lockfile and commit it: npm install',
      },
    );
  }
  return new SetupError('npm', 'expected npm ci to install the packages, got a failure', {
    detail,
    log,
    fix: ['read the log', 'remove node_modules and run the same command again'],
  });
}
