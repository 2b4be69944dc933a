/** Where benchmarks leave their results. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * Writes `bench/results/<name>.json` with the setting of the run.
 * @param {string} name @param {object} result @param {object} setting what is to be known beside date, commit and machine
 */
export function saveResult(name, result, setting = {}) {
  const file = fileURLToPath(new URL(`results/${name}.json`, import.meta.url));
  mkdirSync(new URL('.', `file://${file}`), { recursive: true });
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout?.trim();
  const machine = { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version };
  const document = {
    name,
    setting: { date: new Date().toISOString(), commit, ...machine, ...setting },
    ...result,
  };
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  console.log(`saved ${file}`);
}
