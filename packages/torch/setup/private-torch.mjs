/**
 * Installs a private torch in the cache: its libraries and headers only, since no Python ever runs on it.
 *
 * Without a GPU the small CPU wheel is wanted; the default index only has the CUDA wheel for Linux, of which the CPU
 * half is taken then, together with the two small CUDA libraries that libtorch_cpu.so itself is linked to. With a
 * GPU every CUDA library comes. All downloads are pip's; wheels and parts of wheels survive a kill.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folderBytes, requireFreeSpace } from './disk.mjs';
import { SetupError } from './errors.mjs';
import { COMPLETE_MARKER } from './find-torch.mjs';
import { download, noNetwork, preparePip } from './pip.mjs';
import { run } from './process.mjs';
import { formatBytes } from './report.mjs';
import { MINIMUM_TORCH, readTorch } from './torch-package.mjs';

/** @typedef {import('./process.mjs').Env} Env */
/** @typedef {import('./pip.mjs').Pip} Pip */

/** The release that the test suite passed with; a newer or older one is taken only where this one does not exist. */
export const TESTED_TORCH = '2.15.0';
/** PyTorch's own index of CPU-only wheels, a third of the size. Not reachable everywhere. */
const CPU_INDEX = 'https://download.pytorch.org/whl/cpu';
/** Peak bytes in the cache while installing: wheels twice for a moment (pip copies them), and what is unpacked. */
const PEAK_BYTES = { cpu: 1.8e9, cuda: 9e9 };

const UNPACK = fileURLToPath(new URL('unpack_wheel.py', import.meta.url));

/**
 * @param {object} options
 * @param {import('./cache.mjs').Cache} options.cache
 * @param {Env} options.env
 * @param {boolean} options.cuda
 * @param {import('./report.mjs').Reporter} options.report
 * @param {import('./report.mjs').Step} options.step
 * @returns {Promise<{ torch: import('./torch-package.mjs').Torch, downloadedBytes: number, diskBytes: number }>}
 * @throws {SetupError} no-disk, no-python, no-pip, no-network, download
 */
export async function installTorch({ cache, env, cuda, report, step }) {
  const kind = cuda ? 'cuda' : 'cpu';
  requireFreeSpace([{ what: `torch (${kind})`, folder: cache.torch, bytes: PEAK_BYTES[kind] }]);
  step.progress('preparing pip');
  const pip = await preparePip(cache, env, report, step);
  const wheels = join(cache.downloads, kind);
  const parts = join(cache.downloads, 'parts');

  const fetched = { bytes: 0 };
  const get = async (/** @type {readonly string[]} */ requirements, /** @type {object} */ more = {}) => {
    const result = await download(pip, requirements, {
      folder: wheels,
      parts,
      onProgress: progressLine(step),
      ...more,
    });
    fetched.bytes += result.bytes;
    return result;
  };

  const wheel = await getTorchWheel(get, wheels, { pip, kind, step });
  const { version, requires } = await askWheel(pip, ['requires', wheel]);
  const libraries = cudaRequirements(requires, kind);
  if (libraries.length > 0) failUnlessOk(await get(libraries, { dependencies: true }), pip);

  mkdirSync(cache.torch, { recursive: true });
  const making = join(cache.torch, `.making-${kind}`);
  rmSync(making, { recursive: true, force: true });
  for (const name of readdirSync(wheels).filter((file) => file.endsWith('.whl'))) {
    step.progress(`unpacking ${name}`);
    await askWheel(pip, ['unpack', kind, join(wheels, name), making]);
  }
  await checkLibraries(join(making, 'torch/lib/libtorch_cpu.so'), pip);
  const diskBytes = folderBytes(making);
  writeFileSync(
    join(making, COMPLETE_MARKER),
    `${JSON.stringify({ version, kind, downloadedBytes: fetched.bytes, diskBytes }, null, 2)}\n`,
  );
  const home = join(cache.torch, `${version}-${kind}`);
  rmSync(home, { recursive: true, force: true });
  renameSync(making, home);
  rmSync(cache.downloads, { recursive: true, force: true });
  return { torch: readTorch(join(home, 'torch'), 'private'), downloadedBytes: fetched.bytes, diskBytes };
}

/**
 * @param {(requirements: readonly string[], more?: object) => Promise<import('./pip.mjs').Download>} get
 * @param {string} wheels
 * @param {{ pip: Pip, kind: 'cpu' | 'cuda', step: import('./report.mjs').Step }} context
 * @returns {Promise<string>} path of the wheel
 */
async function getTorchWheel(get, wheels, { pip, kind, step }) {
  const exact = [`torch==${TESTED_TORCH}`];
  const find = () => {
    const name = existsSync(wheels) && readdirSync(wheels).find((file) => /^torch-\d.*\.whl$/.test(file));
    return name ? join(wheels, name) : undefined;
  };
  const before = find();
  if (before) return before; // complete: pip had checked its hash before it put it there
  step.progress(`looking for torch ${TESTED_TORCH}`);
  if (kind === 'cpu' && (await isReachable(pip, CPU_INDEX))) {
    const result = await get(exact, { index: CPU_INDEX });
    const wheel = find();
    if (result.ok && wheel) return wheel;
  }
  let result = await get(exact);
  if (result.problem === 'no-match') result = await get([`torch>=${MINIMUM_TORCH}`]);
  failUnlessOk(result, pip);
  const wheel = find();
  if (!wheel) throw new Error(`pip reported success but left no torch wheel in ${wheels}`);
  return wheel;
}

/**
 * A small question with a short time-out, so that a closed network costs seconds.
 * @param {Pip} pip
 * @param {string} index
 */
async function isReachable(pip, index) {
  const args = [
    '-I',
    '-m',
    'pip',
    'index',
    'versions',
    'torch',
    '--index-url',
    index,
    '--retries',
    '0',
    '--timeout',
    '4',
  ];
  return (await run(pip.python, args, { env: pip.env, log: pip.log, timeoutMs: 15_000 })).ok;
}

/**
 * The wheel's requirements that are CUDA libraries; Python packages (sympy, triton, …) are not for us.
 * libtorch_cpu.so of a CUDA wheel is linked to the runtime and to cupti, and to nothing else of CUDA.
 * @param {readonly string[]} requires  Requires-Dist lines
 * @param {'cpu' | 'cuda'} kind
 * @returns {string[]}
 */
export function cudaRequirements(requires, kind) {
  return requires
    .filter((line) => /^(nvidia-|cuda-toolkit)/.test(line) && !/;.*\bextra\s*==/.test(line))
    .flatMap((line) => {
      if (kind === 'cuda') return [line.replace(/^(cuda-toolkit\[[^\]]*)\]/, '$1,crt]')]; // crt: headers
      if (/^nvidia-cuda-(runtime|cupti)\b/.test(line)) return [line];
      return /^cuda-toolkit\[/.test(line) ? [line.replace(/\[[^\]]*\]/, '[cudart,cupti]')] : [];
    });
}

/**
 * @param {Pip} pip
 * @param {readonly string[]} args
 * @returns {Promise<any>} the answer of unpack_wheel.py
 */
async function askWheel(pip, args) {
  const result = await run(pip.python, ['-I', UNPACK, ...args], { env: pip.env, log: pip.log });
  if (result.ok) return JSON.parse(result.stdout);
  const last = result.output.trim().split('\n').at(-1) ?? '';
  if (/No space left|Disk quota/.test(last)) throw Object.assign(new Error(last), { code: 'ENOSPC' });
  throw new SetupError('download', 'expected to unpack the downloaded torch, got a failure', {
    detail: last,
    log: pip.log,
    fix: `remove the downloads and run the same command again: rm -r ${args.at(-1)?.includes('.making') ? args[2] : args[1]}`,
  });
}

/**
 * @param {string} library
 * @param {Pip} pip
 */
async function checkLibraries(library, pip) {
  const result = await run('ldd', [library], { env: pip.env, log: pip.log });
  const missing = result.output.split('\n').filter((line) => /not found/.test(line));
  if (missing.length === 0) return;
  throw new SetupError(
    'download',
    `expected libtorch_cpu.so to find its libraries, got ${missing.map((line) => line.trim()).join('; ')}`,
    {
      log: pip.log,
      fix: [
        'install every CUDA library: LATENTWIRE_CUDA=1',
        'point LATENTWIRE_TORCH at a torch that is already on this machine',
      ],
    },
  );
}

/** @param {import('./report.mjs').Step} step */
function progressLine(step) {
  let file = '';
  let startedAt = 0;
  let startedWith = 0;
  return (/** @type {string} */ name, /** @type {number} */ received, /** @type {number} */ total) => {
    if (name !== file) {
      file = name;
      startedAt = performance.now();
      startedWith = received;
    }
    const seconds = (performance.now() - startedAt) / 1000;
    const rate = seconds > 0.5 ? `, ${formatBytes((received - startedWith) / seconds)}/s` : '';
    step.progress(
      `downloading ${name}: ${formatBytes(received)} of ${formatBytes(total)} (${Math.floor((100 * received) / total)} %)${rate}`,
    );
  };
}

/**
 * @param {import('./pip.mjs').Download} result
 * @param {Pip} pip
 */
function failUnlessOk(result, pip) {
  if (result.ok) return;
  const again = 'run the same command again: it continues where it stopped';
  const local = 'point LATENTWIRE_TORCH at a torch that is already on this machine';
  if (result.problem === 'network') throw noNetwork(result.detail, pip);
  if (result.problem === 'disk')
    throw Object.assign(new Error(result.detail), { code: 'ENOSPC', path: 'the cache folder' });
  if (result.problem === 'no-match') {
    throw new SetupError(
      'download',
      `expected a torch ${MINIMUM_TORCH} or newer for this Python and machine, got none from the index`,
      {
        detail: result.detail,
        log: pip.log,
        fix: ['put a python3 between 3.10 and 3.14 first on PATH', local],
      },
    );
  }
  throw new SetupError('download', 'expected pip to download torch, got a failure', {
    detail: result.detail,
    log: pip.log,
    fix: [again, local],
  });
}
