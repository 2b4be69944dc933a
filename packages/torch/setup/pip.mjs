/**
 * pip in a virtual environment of its own. The system's Python packages are never read or written, and nothing is
 * installed into this environment but pip: it only resolves and downloads.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptCommand, aptInstall, mayUseApt } from './apt.mjs';
import { SetupError } from './errors.mjs';
import { run, which } from './process.mjs';
import { probePython } from './python.mjs';
import { isAtLeast } from './torch-package.mjs';

/** @typedef {import('./process.mjs').Env} Env */
/** @typedef {{ python: string, env: Env, log: string, version: string }} Pip */

/** The pip whose downloads can be continued after a kill (see pip_resume.py); another one works without that. */
const PIP_VERSION = '26.3';
const RESUME = fileURLToPath(new URL('pip_resume.py', import.meta.url));

/**
 * Makes the environment, or finds it whole: a half-made one, or one whose Python has gone, is made anew.
 * @param {import('./cache.mjs').Cache} cache
 * @param {Env} env
 * @param {import('./report.mjs').Reporter} report
 * @param {import('./report.mjs').Step} step
 * @returns {Promise<Pip>}
 * @throws {SetupError} no-python, no-pip, no-network
 */
export async function preparePip(cache, env, report, step) {
  const pip = {
    python: join(cache.pip, 'bin/python'),
    env: pipEnvironment(env),
    log: join(cache.logs, 'pip.log'),
    version: '',
  };
  const marker = join(cache.pip, 'complete');
  if (existsSync(marker)) {
    pip.version = await askVersion(pip);
    if (pip.version) return pip;
  }
  rmSync(cache.pip, { recursive: true, force: true });

  if (!which('python3', env)) {
    throw new SetupError('no-python', 'expected python3 on PATH (pip downloads torch), found none', {
      fix: [
        `install it: ${aptCommand(['python3', 'python3-venv'])}`,
        'point LATENTWIRE_TORCH at a torch that is already on this machine',
      ],
    });
  }
  const python = await probePython('python3', env);
  if (!python) {
    throw new SetupError('no-python', `expected python3 to run, got a failure of ${which('python3', env)}`, {
      fix: [
        'run `python3 --version` and repair what it says',
        'point LATENTWIRE_TORCH at a torch that is already on this machine',
      ],
    });
  }
  await makeEnvironment(python, cache.pip, pip, report);
  step.progress(`updating the private pip to ${PIP_VERSION}`);
  const update = [
    '-I',
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-input',
    '--retries',
    '1',
    `pip==${PIP_VERSION}`,
  ];
  const { ok, output } = await run(pip.python, update, pip);
  // The pip that came with Python downloads as well, it only starts over after a kill; but not without a network.
  if (!ok && diagnose(output).problem === 'network') throw noNetwork(diagnose(output).detail, pip);
  writeFileSync(marker, '');
  return { ...pip, version: await askVersion(pip) };
}

/**
 * @param {Pip} pip
 * @returns {Promise<string>} empty when this pip does not run
 */
async function askVersion(pip) {
  const { ok, stdout } = await run(pip.python, ['-I', '-m', 'pip', '--version'], pip);
  return (ok && /^pip (\S+)/.exec(stdout)?.[1]) || '';
}

/**
 * @param {string} detail
 * @param {Pip} pip
 */
export function noNetwork(detail, { log }) {
  return new SetupError(
    'no-network',
    'expected to download torch with pip, got no connection to the package index',
    {
      detail,
      log,
      fix: [
        'connect (behind a proxy or mirror: set HTTPS_PROXY, PIP_INDEX_URL or PIP_CERT), then run the same command again: it continues where it stopped',
        'point LATENTWIRE_TORCH at a torch that is already on this machine',
      ],
    },
  );
}

/**
 * Debian splits `ensurepip` off into python3-venv, so a plain `python3 -m venv` may fail there.
 * @param {import('./python.mjs').Python} python
 * @param {string} folder
 * @param {Pip} pip
 * @param {import('./report.mjs').Reporter} report
 */
async function makeEnvironment(python, folder, { env, log }, report) {
  const venv = (/** @type {string[]} */ ...options) =>
    run(python.executable, ['-I', '-m', 'venv', ...options, folder], { env, log });
  if (python.ensurepip && (await venv()).ok) return;
  rmSync(folder, { recursive: true, force: true });

  // `pip --python` works on the environment named, not on the system it comes from.
  const target = join(folder, 'bin/python');
  const borrow = [
    '-m',
    'pip',
    '--python',
    target,
    'install',
    '--quiet',
    '--no-input',
    '--retries',
    '1',
    'pip',
  ];
  if (
    python.pip &&
    (await venv('--without-pip')).ok &&
    (await run(python.executable, borrow, { env, log })).ok
  )
    return;
  rmSync(folder, { recursive: true, force: true });

  if (mayUseApt(env)) {
    report.note('python3 cannot make virtual environments: installing python3-venv with apt-get');
    if ((await aptInstall(['python3-venv'], env, log)) && (await venv()).ok) return;
    rmSync(folder, { recursive: true, force: true });
  }
  const version = python.version.slice(0, 2).join('.');
  throw new SetupError(
    'no-pip',
    `expected ${python.executable} to make a virtual environment with pip in it, got a failure`,
    {
      log,
      fix: [
        `install the missing part: ${aptCommand([`python${version}-venv`])}`,
        'point LATENTWIRE_TORCH at a torch that is already on this machine',
      ],
    },
  );
}

/**
 * The user's pip settings (index, proxy, certificates) apply; those that would redirect an install do not.
 * @param {Env} env
 * @returns {Env}
 */
function pipEnvironment(env) {
  const {
    PIP_TARGET,
    PIP_PREFIX,
    PIP_USER,
    PIP_REQUIRE_VIRTUALENV,
    PIP_DRY_RUN,
    PIP_REQUIRE_HASHES,
    ...rest
  } = env;
  return { ...rest, PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1' };
}

/**
 * @typedef {object} Download
 * @property {boolean} ok
 * @property {'network' | 'no-match' | 'disk' | 'other' | undefined} problem
 * @property {string} detail  the line of pip's output that tells most
 * @property {number} bytes   received by this run; what earlier runs had received is not counted
 */

/**
 * Downloads wheels into a folder. Files that are there already are kept; a partial file is continued.
 * @param {Pip} pip
 * @param {readonly string[]} requirements
 * @param {{ folder: string, parts: string, index?: string | undefined, dependencies?: boolean,
 *   onProgress?: (file: string, received: number, total: number) => void }} options
 * @returns {Promise<Download>}
 */
export async function download(
  pip,
  requirements,
  { folder, parts, index, dependencies = false, onProgress },
) {
  const temporary = join(parts, 'tmp'); // beside the wheels: one file system, and never a small /tmp
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  mkdirSync(folder, { recursive: true });
  const args = [
    'download',
    '--dest',
    folder,
    '--only-binary=:all:',
    '--no-cache-dir',
    '--progress-bar',
    isAtLeast(pip.version, '24.1') ? 'raw' : 'off', // older ones cannot print numbers for programs
    '--retries',
    '2',
  ];
  if (!dependencies) args.push('--no-deps');
  if (index) args.push('--index-url', index);
  let file = 'wheel';
  let bytes = 0;
  const result = await run(pip.python, ['-I', RESUME, parts, ...args, ...requirements], {
    env: { ...pip.env, TMPDIR: temporary, PYTHONUNBUFFERED: '1' },
    log: pip.log,
    onLine(line) {
      const [, name] = /^File (\S+) from \d+$/.exec(line) ?? [];
      if (name) file = decodeURIComponent(name);
      const [, received, total] = /^Progress (\d+) of (\d+)$/.exec(line) ?? [];
      if (received) onProgress?.(file, Number(received), Number(total));
      bytes += Number(/^Received (\d+) bytes$/.exec(line)?.[1] ?? 0);
    },
  });
  rmSync(temporary, { recursive: true, force: true });
  return {
    ok: result.ok,
    bytes,
    ...(result.ok ? { problem: undefined, detail: '' } : diagnose(result.output)),
  };
}

/**
 * @param {string} output  of a pip that failed
 * @returns {{ problem: 'network' | 'no-match' | 'disk' | 'other', detail: string }}
 */
export function diagnose(output) {
  const lines = output.split('\n').map((line) => line.trim());
  const detail =
    lines.findLast((line) => /^ERROR:/.test(line))?.slice(0, 300) ?? lines.findLast(Boolean) ?? '';
  if (/No space left on device|Disk quota exceeded/i.test(output)) return { problem: 'disk', detail };
  const broken =
    /Failed to establish a new connection|Name or service not known|Temporary failure in name resolution|Network is unreachable|Connection refused|Connection reset|ConnectTimeout|Read timed out|ConnectionError|ConnectionFailed|Failed to connect|Unable to connect|connection was interrupted|ProxyError|SSLError|SSL certificate|Max retries exceeded|IncompleteRead|incomplete-download|HTTP error 5\d\d/i;
  const culprit = lines.find((line) => broken.test(line));
  if (culprit) return { problem: 'network', detail: culprit.slice(0, 300) };
  if (/No matching distribution found|Could not find a version/.test(output))
    return { problem: 'no-match', detail };
  return { problem: 'other', detail };
}
