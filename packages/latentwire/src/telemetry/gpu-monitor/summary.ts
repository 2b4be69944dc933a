/** What monitor files say of the GPUs of a run while it trained. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { type JsonRecord, numberOf } from '../json.js';
import { readJsonLines } from '../json-lines.js';

export interface GpuSummary {
  readonly gpu: number;
  readonly samples: number;
  /** Mean share of the time in which a kernel ran, 0 to 1. */
  readonly utilization: number;
  readonly peakMemoryMib: number | null;
  readonly meanPowerW: number | null;
  readonly peakTemperatureC: number | null;
  /** Share of the samples in which the GPU slowed itself for heat or power. */
  readonly throttled: number;
}

/** A stretch of time, milliseconds since 1970. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

// nvmlClocksThrottleReason: SW power cap, HW slowdown, SW thermal, HW thermal, HW power brake.
const THROTTLES = 0x4n | 0x8n | 0x20n | 0x40n | 0x80n;

/** @param windows only samples inside one of them count; empty: all */
export function summariseGpus(rows: readonly JsonRecord[], windows: readonly TimeWindow[]): GpuSummary[] {
  const byGpu = new Map<number, JsonRecord[]>();
  for (const row of rows) {
    const gpu = numberOf(row.gpu);
    const at = Date.parse(String(row.time));
    const counts = windows.length === 0 || windows.some(({ from, to }) => at >= from && at <= to);
    if (gpu === undefined || numberOf(row.gpu_utilization) === undefined || !counts) continue;
    const known = byGpu.get(gpu);
    if (known === undefined) byGpu.set(gpu, [row]);
    else known.push(row);
  }
  return [...byGpu.entries()]
    .sort(([a], [b]) => a - b)
    .map(([gpu, samples]) => {
      const values = (name: string): number[] =>
        samples.flatMap((row) => {
          const value = numberOf(row[name]);
          return value === undefined ? [] : [value];
        });
      const mean = (name: string): number | null => {
        const all = values(name);
        return all.length === 0 ? null : all.reduce((a, b) => a + b, 0) / all.length;
      };
      const most = (name: string): number | null => {
        const all = values(name);
        return all.length === 0 ? null : all.reduce((a, b) => Math.max(a, b));
      };
      return {
        gpu,
        samples: samples.length,
        utilization: mean('gpu_utilization')! / 100,
        peakMemoryMib: most('memory_used_mib'),
        meanPowerW: mean('power_w'),
        peakTemperatureC: most('temperature_c'),
        throttled: samples.filter(isThrottled).length / samples.length,
      };
    });
}

function isThrottled(row: JsonRecord): boolean {
  const mask = String(row.throttle_reasons ?? '');
  return /^0x[0-9a-f]+$/i.test(mask) && (BigInt(mask) & THROTTLES) !== 0n;
}

/** From the first to the last step of each attempt: the time in which a GPU should be busy. */
export function trainingWindows(
  steps: readonly { readonly attempt: number; readonly time: string }[],
): TimeWindow[] {
  const windows = new Map<number, { from: number; to: number }>();
  for (const { attempt, time } of steps) {
    const at = Date.parse(time);
    const known = windows.get(attempt);
    if (known === undefined) windows.set(attempt, { from: at, to: at });
    else known.to = at;
  }
  return [...windows.values()];
}

/** All rows of a run's monitor files, one file per attempt. */
export function readMonitorRows(logs: string): JsonRecord[] {
  return readdirSync(logs)
    .filter((name) => /^gpu_monitor_.*\.jsonl$/.test(name))
    .sort()
    .flatMap((name) => [...readJsonLines(path.join(logs, name))]);
}
