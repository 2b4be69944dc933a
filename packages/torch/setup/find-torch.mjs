/**
 * Which torch to build against: `LATENTWIRE_TORCH`, else the one that `python3` would import, else the private one.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './errors.mjs';
import { run, which } from './process.mjs';
import { probePython } from './python.mjs';
import { readTorch, readVersion } from './torch-package.mjs';

/** @typedef {import('./torch-package.mjs').Torch} Torch */
/** @typedef {import('./process.mjs').Env} Env */

/** Written last into a private torch; a folder without it is not one. */
export const COMPLETE_MARKER = 'latentwire.json';

/**
 * @param {Env} env
 * @param {import('./cache.mjs').Cache} cache
 * @param {boolean} cuda  a private torch must have the CUDA libraries
 * @returns {Promise<Torch | undefined>} undefined: nothing usable, a private one has to be installed
 * @throws {SetupError} torch-not-found, torch-too-old: a torch was named or found but cannot be used
 */
export async function findTorch(env, cache, cuda) {
  const named = env.LATENTWIRE_TORCH;
  if (named && named !== 'private') return torchFromPath(named, env);
  if (named !== 'private' && which('python3', env)) {
    const python = await probePython('python3', env);
    if (python?.torch) return readTorch(python.torch, 'python3');
  }
  return findPrivateTorch(cache, cuda);
}

/**
 * What `LATENTWIRE_TORCH` may be: a torch package, the folder that holds it, a virtual environment, a python.
 * @param {string} path
 * @param {Env} env
 * @returns {Promise<Torch>}
 */
async function torchFromPath(path, env) {
  const expected =
    'expected LATENTWIRE_TORCH to be a torch package folder, a virtual environment, a python or "private"';
  const fix = [
    'correct it',
    'unset it: the set-up then takes the torch of python3 or installs one privately',
  ];
  if (!existsSync(path)) {
    throw new SetupError('torch-not-found', `${expected}, got ${path}, which does not exist`, { fix });
  }
  if (statSync(path).isDirectory()) {
    if (readVersion(path) !== undefined) return readTorch(path, 'env');
    if (existsSync(join(path, 'torch/version.py'))) return readTorch(join(path, 'torch'), 'env');
  }
  const executable = statSync(path).isDirectory() ? pythonOf(path) : path;
  const python = executable && (await probePython(executable, env));
  if (!python)
    throw new SetupError('torch-not-found', `${expected}, got ${path}, which is none of them`, { fix });
  if (!python.torch) {
    throw new SetupError('torch-not-found', `expected a torch in LATENTWIRE_TORCH=${path}, found none`, {
      fix: [`install it there: ${python.executable} -m pip install 'torch>=2.6'`, ...fix],
    });
  }
  return readTorch(python.torch, 'env');
}

/** @param {string} environment */
function pythonOf(environment) {
  return ['bin/python3', 'bin/python']
    .map((name) => join(environment, name))
    .find((path) => existsSync(path));
}

/**
 * The newest complete private torch of the wanted kind.
 * @param {import('./cache.mjs').Cache} cache
 * @param {boolean} cuda
 * @returns {Torch | undefined}
 */
export function findPrivateTorch(cache, cuda) {
  if (!existsSync(cache.torch)) return undefined;
  const complete = readdirSync(cache.torch)
    .filter(
      (name) =>
        name.endsWith(cuda ? '-cuda' : '-cpu') && existsSync(join(cache.torch, name, COMPLETE_MARKER)),
    )
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const newest = complete.at(-1);
  return newest ? readTorch(join(cache.torch, newest, 'torch'), 'private') : undefined;
}

/**
 * Whether the private torch should be able to use a GPU: asked for by `LATENTWIRE_CUDA=1|0`, else probed.
 * @param {Env} env
 * @returns {Promise<boolean>}
 */
export async function wantsCuda(env) {
  if (env.LATENTWIRE_CUDA === '1') return true;
  if (env.LATENTWIRE_CUDA === '0') return false;
  if (existsSync('/proc/driver/nvidia/version') && existsSync('/dev/nvidiactl')) return true;
  if (!which('nvidia-smi', env)) return false;
  const { ok, stdout } = await run('nvidia-smi', ['--list-gpus'], { env, timeoutMs: 15_000 });
  return ok && /^GPU \d+/m.test(stdout);
}
