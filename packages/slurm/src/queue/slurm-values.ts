/** Values as Slurm prints them: times, durations, exit codes, absences. */

/** Words for "nothing here". */
const ABSENT = new Set(['', '(null)', 'None', 'N/A', 'n/a', 'Unknown', 'NONE', 'INVALID', 'Partition_Limit']);

export function present(text: string | undefined): string | undefined {
  const value = text?.trim();
  return value === undefined || ABSENT.has(value) ? undefined : value;
}

/** Seconds since 1970 (our SLURM_TIME_FORMAT), or ISO without zone, which is local time. Absent for 0 and words. */
export function parseTime(text: string | undefined): Date | undefined {
  const value = present(text);
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) > 0 ? new Date(Number(value) * 1000) : undefined;
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)$/.exec(value);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return new Date(year, month - 1, day, hour, minute, second);
}

/** Seconds of `30`, `1:00`, `12:00:00`, `2-03:00:00`; absent for UNLIMITED and words. A bare number is minutes. */
export function parseDuration(text: string | undefined): number | undefined {
  const match = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(text?.trim() ?? '');
  if (match === null) return undefined;
  const days = Number(match[1] ?? 0);
  const parts = match
    .slice(2)
    .filter((part) => part !== undefined)
    .map(Number);
  // With days the first part is hours; without them two parts are minutes and seconds.
  const [hours, minutes, seconds] =
    match[1] !== undefined || parts.length === 3
      ? [parts[0] ?? 0, parts[1] ?? 0, parts[2] ?? 0]
      : [0, parts[0] ?? 0, parts[1] ?? 0];
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

/** `0:9` as code and signal. */
export function parseExit(text: string | undefined): { exitCode?: number; exitSignal?: number } {
  const match = /^(\d+):(\d+)$/.exec(text?.trim() ?? '');
  return match === null ? {} : { exitCode: Number(match[1]), exitSignal: Number(match[2]) };
}

/** wait(2) status, as squeue's older JSON gives it. */
export function splitWaitStatus(status: number): { exitCode: number; exitSignal: number } {
  return { exitCode: (status >> 8) & 0xff, exitSignal: status & 0x7f };
}

/** Indices of `0-3,7%2` or `1-9:4`; absent when it is no such expression (or was cut short with `...`). */
export function parseIndices(expression: string): number[] | undefined {
  const indices: number[] = [];
  for (const part of expression
    .replace(/%\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .split(',')) {
    const match = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part.replace(/%\d+$/, ''));
    if (match === null) return undefined;
    const first = Number(match[1]);
    const step = Number(match[3] ?? 1);
    if (step < 1) return undefined;
    for (let index = first; index <= Number(match[2] ?? first); index += step) indices.push(index);
  }
  return indices;
}
