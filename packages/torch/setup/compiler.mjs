/**
 * Which C++ compiler builds the addon: `$CXX`, else g++, clang++ or c++ on PATH, else g++ from Debian where we may.
 */
import { aptCommand, aptInstall, mayUseApt } from './apt.mjs';
import { SetupError } from './errors.mjs';
import { run, which } from './process.mjs';

/** @typedef {import('./process.mjs').Env} Env */
/** @typedef {{ command: string, args: string[], version: string }} Compiler  version: first line of `--version` */

/**
 * @param {Env} env
 * @returns {Promise<Compiler | undefined>} undefined when there is none
 * @throws {SetupError} no-compiler when `$CXX` does not run
 */
export async function findCompiler(env) {
  if (env.CXX) {
    const [command = '', ...args] = env.CXX.trim().split(/\s+/);
    const compiler = await probe(command, args, env);
    if (compiler) return compiler;
    throw new SetupError(
      'no-compiler',
      `expected CXX to be a C++ compiler, got ${env.CXX}, which does not run`,
      {
        fix: ['correct CXX', 'unset it: the set-up then looks for g++ and clang++'],
      },
    );
  }
  for (const name of ['g++', 'clang++', 'c++']) {
    const compiler = which(name, env) && (await probe(name, [], env));
    if (compiler) return compiler;
  }
  return undefined;
}

/**
 * @param {Env} env
 * @param {import('./report.mjs').Reporter} report
 * @param {string} log
 * @returns {Promise<Compiler>}
 * @throws {SetupError} no-compiler
 */
export async function findOrInstallCompiler(env, report, log) {
  const found = await findCompiler(env);
  if (found) return found;
  if (mayUseApt(env)) {
    report.note('no C++ compiler: installing g++ with apt-get (LATENTWIRE_APT=0 forbids this)');
    if (await aptInstall(['g++'], env, log)) {
      const installed = await findCompiler(env);
      if (installed) return installed;
    }
    throw new SetupError(
      'no-compiler',
      'expected a C++ compiler (g++ or clang++) on PATH, found none, and apt-get could not install it',
      {
        log,
        fix: [`connect and install it: ${aptCommand(['g++'])}`, 'point CXX at one'],
      },
    );
  }
  throw new SetupError('no-compiler', 'expected a C++ compiler (g++ or clang++) on PATH, found none', {
    fix: [
      `Debian, Ubuntu: sudo ${aptCommand(['g++']).replace('&& ', '&& sudo ')}`,
      'Fedora, Rocky: sudo dnf install gcc-c++',
      'clusters: module load gcc',
      'point CXX at one',
    ],
  });
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {Env} env
 * @returns {Promise<Compiler | undefined>}
 */
async function probe(command, args, env) {
  const { ok, stdout } = await run(command, [...args, '--version'], { env, timeoutMs: 20_000 });
  return ok ? { command, args, version: stdout.split('\n')[0] ?? '' } : undefined;
}
