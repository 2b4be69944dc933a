/**
 * How the addon is to be built: compiler flags, and a hash of everything but the compiler that shapes the result.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { SetupError } from './errors.mjs';
import { cxx11Abi, cxxStandard } from './torch-package.mjs';

/** @typedef {import('./process.mjs').Env} Env */
/** @typedef {import('./torch-package.mjs').Torch} Torch */

/**
 * @typedef {object} Plan
 * @property {string} source     the single translation unit
 * @property {string[]} flags    everything but input and output
 * @property {string[]} optional  flags of process groups, which not every torch has: without them the rest still works
 * @property {boolean} cuda         linked with the CUDA libraries
 * @property {boolean} cudaHeaders  LATENTWIRE_CUDA is defined: code that needs CUDA's headers is compiled
 * @property {string} sourceKey  hash of sources and torch, without compiler and flags
 */

/**
 * @param {string} packageRoot
 * @param {Torch} torch
 * @param {Env} env
 * @returns {Plan}
 */
export function planBuild(packageRoot, torch, env) {
  const native = join(packageRoot, 'native');
  const source = join(native, 'addon.cc');
  const cuda = torch.cuda && env.LATENTWIRE_CUDA !== '0';
  const lib = join(torch.path, 'lib');
  const system = [join(torch.path, 'include'), join(torch.path, 'include/torch/csrc/api/include')];
  const headers = cuda ? cudaIncludes(torch, env) : [];
  const flags = [
    `-std=${cxxStandard(torch)}`,
    '-O2',
    '-fPIC',
    '-shared',
    '-Wall',
    `-D_GLIBCXX_USE_CXX11_ABI=${cxx11Abi(torch)}`,
    `-DNAPI_VERSION=9`,
    ...(headers.length > 0 ? ['-DLATENTWIRE_CUDA=1'] : []),
    '-isystem',
    nodeApiIncludes(packageRoot),
    ...[...system, ...headers].flatMap((folder) => ['-isystem', folder]),
    `-L${lib}`,
    `-Wl,-rpath,${lib}`,
    '-Wl,--no-as-needed',
    '-ltorch_cpu',
    '-lc10',
    ...(cuda ? ['-ltorch_cuda', '-lc10_cuda'] : []),
  ];
  const optional = processGroups(native, torch, headers, env);
  const hash = createHash('sha256');
  for (const file of nativeSources(native)) {
    hash
      .update(`${relative(native, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  // A torch rebuilt in place keeps its path and version: its library's size and time tell it apart.
  const { size, mtimeMs } = statSync(join(lib, 'libtorch_cpu.so'));
  hash.update([torch.version, torch.path, size, mtimeMs, cuda].join('\0'));
  return {
    ...{ source, flags, optional, cuda, cudaHeaders: headers.length > 0 },
    sourceKey: hash.digest('hex').slice(0, 16),
  };
}

/**
 * Flags for libtorch's process groups: Gloo where its class is declared, NCCL where NCCL's header is there too.
 * @param {string} native
 * @param {Torch} torch
 * @param {string[]} cudaHeaders
 * @param {Env} env  LATENTWIRE_NCCL=0 leaves NCCL out
 * @returns {string[]}
 */
function processGroups(native, torch, cudaHeaders, env) {
  const declared = join(torch.path, 'include/torch/csrc/distributed/c10d');
  const flags = [];
  if (existsSync(join(declared, 'ProcessGroupGloo.hpp'))) {
    flags.push('-DLATENTWIRE_GLOO=1', '-DUSE_C10D_GLOO', '-idirafter', join(native, 'gloo_declarations'));
  }
  const nccl = [...cudaHeaders, '/usr/include'].some((folder) => existsSync(join(folder, 'nccl.h')));
  if (cudaHeaders.length > 0 && nccl && env.LATENTWIRE_NCCL !== '0') {
    flags.push('-DLATENTWIRE_NCCL=1', '-DUSE_C10D_NCCL');
  }
  // Bound when the addon is loaded: a torch that was built without one of them shows it then, not in the first training.
  return flags.length > 0 ? [...flags, '-Wl,-z,now'] : [];
}

/**
 * @param {string} folder
 * @returns {string[]} C++ files in a stable order
 */
function nativeSources(folder) {
  if (!existsSync(join(folder, 'addon.cc'))) throw new Error(`no addon.cc in ${folder}`);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(h|hpp|cc|cpp|cu|inc)$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** @param {string} packageRoot */
function nodeApiIncludes(packageRoot) {
  const require = createRequire(join(packageRoot, 'package.json'));
  try {
    return join(dirname(require.resolve('node-api-headers/package.json')), 'include');
  } catch {
    throw new SetupError('npm', `expected the npm package node-api-headers for ${packageRoot}, found none`, {
      fix: 'install the npm packages first: npm ci',
    });
  }
}

/**
 * Folders with all CUDA headers that torch's own CUDA headers include; the wheels beside torch match it best.
 * @param {Torch} torch
 * @param {Env} env
 * @returns {string[]} empty when they are not on this machine
 */
export function cudaIncludes(torch, env) {
  const beside = join(torch.path, '../nvidia');
  const wheels = existsSync(beside)
    ? readdirSync(beside)
        .map((name) => join(beside, name, 'include'))
        .filter((folder) => existsSync(folder))
        .sort()
    : [];
  const toolkits = [env.CUDA_HOME, env.CUDA_PATH, '/usr/local/cuda'].flatMap((root) =>
    root ? [[join(root, 'include')]] : [],
  );
  const needed = ['cuda_runtime_api.h', 'crt/host_defines.h', 'cublas_v2.h', 'cusparse.h', 'cusolverDn.h'];
  for (const folders of [wheels, ...toolkits]) {
    const complete = needed.every((header) => folders.some((folder) => existsSync(join(folder, header))));
    // Since CUDA 13 the headers <nv/…> and <cuda/…> lie one folder deeper.
    if (complete)
      return folders.flatMap((folder) => [folder, join(folder, 'cccl')].filter((path) => existsSync(path)));
  }
  return [];
}
