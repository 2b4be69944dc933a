/**
 * The user's cache folder: where the private torch and the built addons live.
 *
 *   torch/<version>-<cpu|cuda>/   libraries and headers, complete or absent (made beside it, then renamed)
 *   addon/<key>/                  one built addon per torch, compiler and source state
 *   pip/                          private virtual environment that only runs pip
 *   downloads/                    wheels and partial files of an install under way
 *   logs/                         output of pip and of the compiler
 */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { SetupError } from './errors.mjs';

/** @typedef {{ root: string, torch: string, addon: string, pip: string, downloads: string, logs: string }} Cache */

/**
 * `LATENTWIRE_CACHE`, else `latentwire` in `XDG_CACHE_HOME` or `~/.cache`. Nothing is created.
 * @param {import('./process.mjs').Env} [env]
 * @returns {Cache}
 */
export function cacheFolders(env = process.env) {
  const home = env.HOME || homedir();
  const root = resolve(
    env.LATENTWIRE_CACHE || join(env.XDG_CACHE_HOME || join(home, '.cache'), 'latentwire'),
  );
  return {
    root,
    torch: join(root, 'torch'),
    addon: join(root, 'addon'),
    pip: join(root, 'pip'),
    downloads: join(root, 'downloads'),
    logs: join(root, 'logs'),
  };
}

/**
 * @param {Cache} cache
 * @throws {SetupError} not-writable
 */
export function createCache(cache) {
  try {
    mkdirSync(cache.root, { recursive: true });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new SetupError('not-writable', `expected a cache folder to write to, got ${message}`, {
      fix: 'choose a folder you own: LATENTWIRE_CACHE=/folder/you/own',
    });
  }
}
