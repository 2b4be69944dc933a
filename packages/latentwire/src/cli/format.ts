/** Amounts as people read them. */

/** `3.2 GB`, in powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toPrecision(2)} ${units[unit]}`;
}

/** `12 s`, `4 min`, `1 h 20 min`, `62 h`. */
export function formatHours(hours: number): string {
  const seconds = hours * 3600;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const whole = Math.floor(minutes / 60);
  return whole >= 24 ? `${Math.round(hours)} h` : `${whole} h ${String(minutes % 60).padStart(2, '0')} min`;
}
