/** Writes `bench/results/<name>.json` with the setting of the run. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

/** @param {string} name @param {object} result */
export function save(name, result) {
  const folder = fileURLToPath(new URL('../results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout?.trim();
  const setting = {
    date: new Date().toISOString(),
    commit,
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    node: process.version,
  };
  const file = `${folder}${name}.json`;
  writeFileSync(file, `${JSON.stringify({ name, setting, ...result }, null, 1)}\n`);
  console.log(`saved ${file}`);
}
