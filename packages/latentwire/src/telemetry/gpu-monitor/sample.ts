/** One second of one GPU, as `nvidia-smi` reports it. */
import type { JsonRecord } from '../json.js';

/** Fields asked of nvidia-smi, in the order of a line, and the name and unit of each in a row. */
export const QUERY = [
  ['index', 'gpu'],
  ['uuid', 'uuid'],
  ['utilization.gpu', 'gpu_utilization'], // % of the last second in which a kernel ran
  ['utilization.memory', 'memory_utilization'], // % in which memory was read or written
  ['memory.used', 'memory_used_mib'],
  ['memory.total', 'memory_total_mib'],
  ['temperature.gpu', 'temperature_c'],
  ['power.draw', 'power_w'],
  ['clocks.sm', 'sm_clock_mhz'],
  ['clocks.mem', 'memory_clock_mhz'],
  ['clocks_throttle_reasons.active', 'throttle_reasons'], // bit mask, hexadecimal
] as const;

export const NVIDIA_SMI_ARGUMENTS: readonly string[] = [
  `--query-gpu=${QUERY.map(([field]) => field).join(',')}`,
  '--format=csv,noheader,nounits',
  '--loop=1',
];

const TEXT: ReadonlySet<string> = new Set(['uuid', 'throttle_reasons']);

/** A row of a monitor file; a value the GPU does not report ("[N/A]") is left out. Undefined for a line that is none. */
export function parseSample(line: string, time: Date): JsonRecord | undefined {
  const values = line.split(',').map((value) => value.trim());
  if (values.length !== QUERY.length) return undefined;
  const row: Record<string, string | number> = { time: time.toISOString() };
  QUERY.forEach(([, name], i) => {
    const value = values[i]!;
    if (TEXT.has(name)) row[name] = value;
    else if (value !== '' && Number.isFinite(Number(value))) row[name] = Number(value);
  });
  return row.gpu === undefined ? undefined : row;
}
