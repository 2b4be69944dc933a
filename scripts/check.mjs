#!/usr/bin/env node
/**
 * Everything `npm test` checks after the set-up: types of tests and scripts, lint and format, the lockfile, the
 * dependency rule, links in the documentation, what benchmarks import, then the tests. All of it runs even when a part fails; the closing line counts the
 * tests and, as one each, the checks.
 *
 *   npm test                        everything
 *   npm test -- packages/stats      all checks, but only the tests whose path contains that text
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, stopChildrenOnSignal } from '../packages/torch/setup/process.mjs';
import { createReporter } from '../packages/torch/setup/report.mjs';
import { checkBench } from './check-bench.mjs';
import { checkLayers } from './check-layers.mjs';
import { checkLinks } from './check-links.mjs';
import { closingLine, readCounts } from './test-counts.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BIN = join(ROOT, 'node_modules/.bin');

/** @typedef {{ ok: boolean, summary: string, output: string }} CheckResult */

/** @type {[string, () => CheckResult | Promise<CheckResult>][]} */
const CHECKS = [
  ['types', () => tool('tsc', ['-p', 'tsconfig.tests.json'], 'tests and type tests')],
  ['scripts', () => tool('tsc', ['-p', 'tsconfig.scripts.json'], 'set-up and scripts')],
  ['lint', () => tool('biome', ['ci', '.', '--colors=off', '--max-diagnostics=50'], 'lint and format')],
  ['lockfile', lockfile],
  ['layers', layers],
  ['links', links],
  ['bench', bench],
];

/**
 * @param {string} name
 * @param {readonly string[]} args
 * @param {string} what
 * @returns {Promise<CheckResult>}
 */
async function tool(name, args, what) {
  const { ok, output } = await run(join(BIN, name), args, { cwd: ROOT });
  return { ok, summary: ok ? `${what}: ok` : `${what}: FAILED`, output };
}

/**
 * A fresh clone starts with `npm ci`, which refuses a lockfile that does not cover every platform's packages;
 * here it would go unnoticed, since node_modules exists.
 * @returns {Promise<CheckResult>}
 */
async function lockfile() {
  const { ok, output } = await run('npm', ['ci', '--dry-run', '--offline', '--loglevel=error'], {
    cwd: ROOT,
  });
  return { ok, summary: ok ? 'npm ci accepts it' : 'npm ci refuses it: FAILED', output };
}

/** @returns {CheckResult} */
function layers() {
  const { violations, imports, files } = checkLayers(ROOT);
  const output = violations
    .map(({ file, line, imported, reason }) => `${file}:${line}: '${imported}': ${reason}`)
    .join('\n');
  return {
    ok: violations.length === 0,
    summary: `${imports} imports in ${files} files, ${violations.length} not allowed`,
    output,
  };
}

/** @returns {CheckResult} */
function links() {
  const { broken, links: count, files } = checkLinks(ROOT);
  const output = broken
    .map(({ file, line, target, reason }) => `${file}:${line}: ${target}: ${reason}`)
    .join('\n');
  return {
    ok: broken.length === 0,
    summary: `${count} links in ${files} files, ${broken.length} broken`,
    output,
  };
}

/** @returns {CheckResult} */
function bench() {
  const { broken, imports, files } = checkBench(ROOT);
  return {
    ok: broken.length === 0,
    summary: `${imports} imports in ${files} benchmarks, ${broken.length} broken`,
    output: broken.map(({ file, imported, reason }) => `${file}: '${imported}': ${reason}`).join('\n'),
  };
}

/**
 * @param {readonly string[]} filters
 * @returns {Promise<import('./test-counts.mjs').Counts>}
 */
async function tests(filters) {
  const folder = mkdtempSync(join(tmpdir(), 'latentwire-test-'));
  const report = join(folder, 'report.json');
  try {
    const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filters];
    const child = spawn(join(BIN, 'vitest'), args, { cwd: ROOT, stdio: 'inherit' });
    process.once('exit', () => child.kill());
    const exitCode = await new Promise((resolve) => {
      child.on('error', () => resolve(1));
      child.on('close', (code) => resolve(code ?? 1));
    });
    return readCounts(report, exitCode);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

stopChildrenOnSignal(() => process.stderr.write('\nstopped\n'));
const reporter = createReporter(process.stdout);
let failedChecks = 0;
for (const [name, check] of CHECKS) {
  const step = reporter.step(name);
  const { ok, summary, output } = await check();
  step.done(summary);
  if (ok) continue;
  failedChecks++;
  process.stdout.write(`${output.trimEnd()}\n`);
}
const counts = await tests(process.argv.slice(2));
const total = {
  ...counts,
  passed: counts.passed + CHECKS.length - failedChecks,
  failed: counts.failed + failedChecks,
};
process.stdout.write(`${closingLine(total)}\n`);
process.exitCode = total.failed > 0 ? 1 : 0;
