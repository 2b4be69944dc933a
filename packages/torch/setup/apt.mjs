/**
 * Debian packages that the set-up may install by itself: only as root, only with apt-get at hand, always saying so.
 */
import { run, which } from './process.mjs';

/** @typedef {import('./process.mjs').Env} Env */

/**
 * @param {Env} env  `LATENTWIRE_APT=0` forbids it
 * @param {number | undefined} [uid]
 */
export function mayUseApt(env, uid = process.getuid?.()) {
  return uid === 0 && env.LATENTWIRE_APT !== '0' && which('apt-get', env) !== undefined;
}

/**
 * @param {readonly string[]} packages
 * @param {Env} env
 * @param {string} log
 * @returns {Promise<boolean>} whether they are installed now
 */
export async function aptInstall(packages, env, log) {
  const options = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, log };
  const install = () => run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], options);
  if ((await install()).ok) return true;
  await run('apt-get', ['update'], options); // a fresh machine has no package lists yet
  return (await install()).ok;
}

/**
 * The command for a person, in `fix:` lines.
 * @param {readonly string[]} packages
 */
export const aptCommand = (packages) => `apt-get update && apt-get install -y ${packages.join(' ')}`;
