/** What benchmarks print and save: medians of interleaved rounds, ratios, and the machine they came from. */
import { addonInfo, getNumThreads } from '@latentwire/torch';
import { saveResult } from './save-result.mjs';

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
export const save = (name, result) =>
  saveResult(name, result, { threads: getNumThreads(), torch: addonInfo().torch });
