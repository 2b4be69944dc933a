/**
 * What a torch on disk offers: version, CUDA, C++ standard and ABI. Read from its files; Python never runs.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SetupError } from './errors.mjs';

/** Oldest torch whose operator schemas and headers the bridge is tested with. */
export const MINIMUM_TORCH = '2.6';

/**
 * @typedef {object} Torch
 * @property {string} path      folder with `lib/` and `include/`
 * @property {string} version   such as `2.13.0+cpu`
 * @property {boolean} cuda     has libtorch_cuda.so
 * @property {'env' | 'python3' | 'private'} source  how it was found
 */

/**
 * Reads a torch package folder (or an unpacked libtorch archive).
 * @param {string} path
 * @param {Torch['source']} source
 * @returns {Torch}
 * @throws {SetupError} torch-not-found (incomplete), torch-too-old
 */
export function readTorch(path, source) {
  const folder = resolve(path);
  const version = readVersion(folder);
  if (version === undefined) {
    throw new SetupError(
      'torch-not-found',
      `expected a torch package (with version.py) at ${folder}, found none`,
      {
        fix: fixes(source),
      },
    );
  }
  if (!isAtLeast(version, MINIMUM_TORCH)) {
    throw new SetupError(
      'torch-too-old',
      `expected torch ${MINIMUM_TORCH} or newer, got ${version} at ${folder}`,
      {
        fix: [
          `upgrade it: pip install --upgrade 'torch>=${MINIMUM_TORCH}'`,
          'use a private torch instead: LATENTWIRE_TORCH=private',
        ],
      },
    );
  }
  for (const needed of [
    'lib/libtorch_cpu.so',
    'lib/libc10.so',
    'include/ATen/ATen.h',
    'include/c10/core/Device.h',
  ]) {
    if (existsSync(join(folder, needed))) continue;
    throw new SetupError(
      'torch-not-found',
      `expected ${needed} in the torch ${version} at ${folder}, found none`,
      {
        fix: fixes(source),
      },
    );
  }
  return { path: folder, version, cuda: existsSync(join(folder, 'lib/libtorch_cuda.so')), source };
}

/** @param {Torch['source']} source */
function fixes(source) {
  const reinstall = `reinstall it from a wheel: pip install --force-reinstall 'torch>=${MINIMUM_TORCH}'`;
  const point = 'point LATENTWIRE_TORCH at a torch package folder, a virtual environment or a python';
  const fallBack = 'use a private torch instead: LATENTWIRE_TORCH=private';
  return source === 'env' ? [point, fallBack] : [reinstall, fallBack];
}

/**
 * @param {string} folder
 * @returns {string | undefined}
 */
export function readVersion(folder) {
  const python = join(folder, 'version.py');
  if (existsSync(python)) {
    return /^__version__\s*(?::\s*str\s*)?=\s*['"]([^'"]+)['"]/m.exec(readFileSync(python, 'utf8'))?.[1];
  }
  const archive = join(folder, 'build-version'); // libtorch zip
  return existsSync(archive) ? readFileSync(archive, 'utf8').trim() : undefined;
}

/**
 * @param {string} version
 * @param {string} minimum  `major.minor`
 */
export function isAtLeast(version, minimum) {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [wantedMajor = 0, wantedMinor = 0] = minimum.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/**
 * The C++ standard that the headers demand: 17 up to torch 2.13 or so, 20 after it. Each header set says it itself.
 * @param {Torch} torch
 * @returns {string} `c++17`
 */
export function cxxStandard({ path }) {
  const all = join(path, 'include/torch/csrc/api/include/torch/all.h');
  const header = existsSync(all) ? all : join(path, 'include/ATen/ATen.h');
  const year = /#error\s+"?C\+\+(\d\d) or later/.exec(readFileSync(header, 'utf8'))?.[1] ?? '17';
  return `c++${year}`;
}

/**
 * The libstdc++ string ABI that torch was built with (`_GLIBCXX_USE_CXX11_ABI`), read from the mangled name of a
 * function that takes a std::string; wheels before 2.6 and some of 2.6 use the old one.
 * @param {Torch} torch
 * @returns {0 | 1}
 */
export function cxx11Abi({ path }) {
  const symbols = readFileSync(join(path, 'lib/libc10.so'), 'latin1');
  if (symbols.includes('torchCheckFailEPKcS2_jRKNSt7__cxx11')) return 1;
  if (symbols.includes('torchCheckFailEPKcS2_jRKSs')) return 0;
  return symbols.includes('__cxx11') ? 1 : 0;
}
