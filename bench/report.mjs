/** What benchmarks print and save: medians of interleaved rounds, ratios, and the machine they came from. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { addonInfo, getNumThreads } from '@latentwire/torch';

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value below which the given part of the values lies. @param {number[]} values @param {number} part */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(part * (sorted.length - 1))];
}

/** @param {number[]} values */
export const geometricMean = (values) =>
  Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);

/** Writes `bench/results/<name>.json` with the setting of the run. @param {string} name @param {object} result */
export function save(name, result) {
  const folder = fileURLToPath(new URL('results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout?.trim();
  const setting = {
    date: new Date().toISOString(),
    commit,
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    threads: getNumThreads(),
    node: process.version,
    torch: addonInfo().torch,
  };
  const file = `${folder}${name}.json`;
  writeFileSync(file, `${JSON.stringify({ name, setting, ...result }, null, 2)}\n`);
  console.log(`saved ${file}`);
}
