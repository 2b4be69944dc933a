/**
 * Builds the native addon once per state of (sources, torch, compiler, flags) and records where it is.
 *
 * `build/addon.json` in the package is what the runtime reads; the addon itself lies in the user's cache, so that
 * several checkouts share it and a fresh clone finds it built.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { planBuild } from './addon-plan.mjs';
import { findCompiler, findOrInstallCompiler } from './compiler.mjs';
import { SetupError } from './errors.mjs';
import { run } from './process.mjs';
import { formatBytes, formatSeconds } from './report.mjs';

/** @typedef {import('./process.mjs').Env} Env */
/** @typedef {import('./torch-package.mjs').Torch} Torch */
/** @typedef {{ addon: string, torch: string, torchPath: string, cuda: boolean, key: string }} AddonRecord */

const ADDON = 'latentwire_torch.node';

/**
 * @typedef {object} BuildOptions
 * @property {string} packageRoot  the torch package: `native/` is read, `build/` written
 * @property {Torch} torch
 * @property {import('./cache.mjs').Cache} cache
 * @property {Env} env
 */

/**
 * The addon for this very state, if it was built before. Writes nothing but `build/addon.json`.
 * @param {BuildOptions} options
 * @returns {Promise<{ record: AddonRecord, note: string } | undefined>}
 */
export async function findAddon({ packageRoot, torch, cache, env }) {
  const plan = planBuild(packageRoot, torch, env);
  const compiler = await findCompiler(env);
  if (compiler) {
    const record = recordOf(plan, compiler, torch, cache);
    if (!existsSync(record.addon)) return undefined;
    writeRecord(packageRoot, record);
    return { record, note: `up to date${cudaNote(plan)}` };
  }
  // A machine without compiler may still use what was built for exactly these sources and this torch.
  const previous = readRecord(packageRoot);
  if (!previous?.key.startsWith(plan.sourceKey) || !existsSync(previous.addon)) return undefined;
  return { record: previous, note: 'up to date (no compiler here now)' };
}

/**
 * @param {BuildOptions & { report: import('./report.mjs').Reporter, step: import('./report.mjs').Step }} options
 * @returns {Promise<{ record: AddonRecord, note: string }>}
 * @throws {SetupError} no-compiler, compile, load
 */
export async function buildAddon({ packageRoot, torch, cache, env, report, step }) {
  const plan = planBuild(packageRoot, torch, env);
  const compiler = await findOrInstallCompiler(env, report, join(cache.logs, 'apt.log'));
  const record = recordOf(plan, compiler, torch, cache);
  const note = await compile({ plan, compiler, record, cache, env, step });
  writeRecord(packageRoot, record);
  return { record, note: `${note}${cudaNote(plan)}` };
}

/** @param {import('./addon-plan.mjs').Plan} plan */
function cudaNote({ cuda, cudaHeaders }) {
  if (!cuda) return '';
  return cudaHeaders ? ', with CUDA' : ', with CUDA but without its headers (set CUDA_HOME for all of it)';
}

/**
 * @param {import('./addon-plan.mjs').Plan} plan
 * @param {import('./compiler.mjs').Compiler} compiler
 * @param {Torch} torch
 * @param {import('./cache.mjs').Cache} cache
 * @returns {AddonRecord}
 */
function recordOf(plan, compiler, torch, cache) {
  const build = [compiler.command, ...compiler.args, compiler.version, ...plan.flags, ...plan.optional].join(
    '\0',
  );
  const key = `${plan.sourceKey}-${createHash('sha256').update(build).digest('hex').slice(0, 12)}`;
  return {
    addon: join(cache.addon, key, ADDON),
    torch: torch.version,
    torchPath: torch.path,
    cuda: plan.cuda,
    key,
  };
}

/**
 * @param {{ plan: import('./addon-plan.mjs').Plan, compiler: import('./compiler.mjs').Compiler, record: AddonRecord,
 *   cache: import('./cache.mjs').Cache, env: Env, step: import('./report.mjs').Step }} options
 * @returns {Promise<string>} what to print
 */
async function compile({ plan, compiler, record, cache, env, step }) {
  const target = dirname(record.addon);
  const making = `${target}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true });
  const log = join(cache.logs, `compile-${record.key}.log`);
  rmSync(log, { force: true });
  const started = performance.now();
  const ticker = setInterval(() => {
    step.progress(
      `compiling with ${compiler.version}: ${formatSeconds(performance.now() - started)} so far, about half a minute to a minute`,
    );
  }, 1000);
  const output = join(making, ADDON);
  /** @param {string[]} flags */
  const attempt = async (flags) => {
    // Libraries go behind the source: linkers resolve from left to right.
    const command = [...compiler.args, plan.source, ...flags, '-o', output];
    const result = await run(compiler.command, command, { env, log });
    if (!result.ok) throw compileError(result.output, record, compiler, log);
    await checkLoads(output, env, log);
  };
  let flags = [...plan.flags, ...plan.optional];
  let without = '';
  try {
    await attempt(flags).catch(async (error) => {
      if (plan.optional.length === 0 || !(error instanceof SetupError)) throw error;
      flags = plan.flags;
      await attempt(flags);
      without = `, without process groups (one GPU per training only; ${error.detail ?? error.message}; log: ${log})`;
    });
  } finally {
    clearInterval(ticker);
  }
  const { size } = statSync(output);
  const seconds = (performance.now() - started) / 1000;
  writeFileSync(
    join(making, 'build.json'),
    `${JSON.stringify({ ...record, compiler, flags, seconds, bytes: size }, null, 2)}\n`,
  );
  rmSync(target, { recursive: true, force: true });
  renameSync(making, target);
  return `compiled with ${compiler.version}, ${formatBytes(size)}${without}`;
}

/**
 * @param {string} output
 * @param {AddonRecord} record
 * @param {import('./compiler.mjs').Compiler} compiler
 * @param {string} log
 */
function compileError(output, record, compiler, log) {
  const lines = output.split('\n');
  const first = lines.find((line) =>
    /\b(fatal )?error:|undefined reference|cannot find -l|unrecognized .*option|ld returned/.test(line),
  );
  if (/No space left on device/.test(output))
    return Object.assign(new Error('compiling'), { code: 'ENOSPC', path: dirname(record.addon) });
  const fix = ['read the log; the first error is the one that counts'];
  if (/unrecognized .*option.*-std|invalid value .* in '-std/.test(output)) {
    fix.unshift('use a newer compiler (g++ 11 or clang 14 at least): set CXX, or module load gcc');
  }
  if (/\bKilled\b|out of memory|cc1plus.*terminated/i.test(output))
    fix.unshift('give the compiler 3 GB of memory');
  fix.push(`try the torch that the tests run with: LATENTWIRE_TORCH=private`);
  return new SetupError(
    'compile',
    `expected ${compiler.command} to compile the addon against torch ${record.torch}, got an error`,
    {
      detail: (first ?? lines.findLast((line) => line.trim() !== '') ?? '').slice(0, 300),
      log,
      fix,
    },
  );
}

/**
 * Loads the new addon once, in a process of its own, so that a missing library shows up here with its name.
 * @param {string} addon
 * @param {Env} env
 * @param {string} log
 */
async function checkLoads(addon, env, log) {
  const result = await run(process.execPath, ['-e', 'require(process.argv[1])', addon], {
    env,
    log,
    timeoutMs: 180_000,
  });
  if (result.ok) return;
  const reason = result.output
    .split('\n')
    .find((line) => /Error:|cannot open shared object|undefined symbol|version `/.test(line));
  throw new SetupError('load', 'expected Node to load the addon just built, got a failure', {
    detail: (reason ?? result.output.trim().split('\n').at(-1) ?? `exit code ${result.code}`)
      .trim()
      .slice(0, 300),
    log,
    fix: [
      'make the named library findable (LD_LIBRARY_PATH, or module load)',
      'build without CUDA: LATENTWIRE_CUDA=0',
      'use a private torch: LATENTWIRE_TORCH=private',
    ],
  });
}

/**
 * @param {string} packageRoot
 * @returns {AddonRecord | undefined}
 */
export function readRecord(packageRoot) {
  try {
    return JSON.parse(readFileSync(join(packageRoot, 'build/addon.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {string} packageRoot
 * @param {AddonRecord} record
 */
function writeRecord(packageRoot, record) {
  const text = `${JSON.stringify(record, null, 2)}\n`;
  const file = join(packageRoot, 'build/addon.json');
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
}
