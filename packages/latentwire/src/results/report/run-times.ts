/** Times and utilisation from the files of a run, whatever of them there is. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { numberOf, readJsonLines, readMetrics, readStatus } from '../../telemetry/index.js';
import { RUN_FILES } from '../aggregate/index.js';
import type { GpuSample } from '../figures/gpu-utilisation.js';

/** Part of the run → seconds of wall time; undefined when nothing is known. */
export function readLedger(directory: string): Record<string, number> | undefined {
  try {
    const metrics = readMetrics(path.join(directory, RUN_FILES.metrics)) as
      | Record<string, unknown>
      | undefined;
    if (metrics === undefined) return undefined;
    const stated = numbersIn(metrics.time_ledger ?? metrics.ledger);
    if (Object.keys(stated).length > 0) return stated;
    return ledgerFromTotals(directory, metrics);
  } catch {
    return undefined; // Damaged files have been named by the aggregation.
  }
}

/** From the times that metrics.json and status.json give; only of runs in one attempt, whose clock did not stop. */
function ledgerFromTotals(
  directory: string,
  metrics: Record<string, unknown>,
): Record<string, number> | undefined {
  const status = readStatus(path.join(directory, RUN_FILES.status));
  if (status?.state !== 'completed' || status.attempt !== 1) return undefined;
  const environment = JSON.parse(readFileSync(path.join(directory, RUN_FILES.environment), 'utf8')) as {
    recorded_at?: unknown;
  };
  const wall = (Date.parse(status.updated_at) - Date.parse(String(environment.recorded_at))) / 1000;
  const train = numberOf((metrics.train as { seconds?: unknown } | undefined)?.seconds) ?? 0;
  let evaluate = 0;
  for (const mode of Object.values(metrics)) {
    for (const scores of Object.values(typeof mode === 'object' && mode !== null ? mode : {})) {
      evaluate += numberOf((scores as { seconds?: unknown } | null)?.seconds) ?? 0;
    }
  }
  const rest = wall - train - evaluate;
  if (!Number.isFinite(rest) || rest < 0) return undefined;
  // Runs that do not say how long they evaluated spent that time in the rest.
  return {
    ...(train > 0 && { train }),
    ...(evaluate > 0 && { evaluate }),
    [evaluate > 0 ? 'load and rest' : 'load, evaluate, rest']: rest,
  };
}

function numbersIn(value: unknown): Record<string, number> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, entry]) => {
      const seconds = numberOf(entry);
      return seconds === undefined || !Number.isFinite(seconds)
        ? []
        : [[name.replace(/_?seconds$/, ''), seconds]];
    }),
  );
}

const UTILISATION = ['gpu_utilization', 'utilization', 'utilization_percent', 'gpu_util'];

/** Samples of one monitor file; seconds from its first sample. */
export function readGpuSamples(file: string): GpuSample[] {
  let rows: readonly Readonly<Record<string, unknown>>[];
  try {
    rows = readJsonLines(file);
  } catch {
    return [];
  }
  const times = rows.map((row) => Date.parse(String(row.time ?? row.timestamp)));
  const first = times.find(Number.isFinite);
  return rows.flatMap((row, i) => {
    const utilisation = UTILISATION.map((name) => numberOf(row[name])).find((value) => value !== undefined);
    const at = times[i]!;
    if (
      utilisation === undefined ||
      !Number.isFinite(utilisation) ||
      first === undefined ||
      !Number.isFinite(at)
    )
      return [];
    return [{ seconds: (at - first) / 1000, utilisation }];
  });
}
