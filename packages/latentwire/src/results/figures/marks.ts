/** Parts that several figures share: series colours that stay apart for every reader, and points with intervals. */
import { palette } from './theme.js';

/** Okabe–Ito, in an order in which neighbours differ in lightness too; shapes repeat what colours say. */
export const SERIES = [
  palette.blue,
  palette.orange,
  palette.green,
  palette.purple,
  palette.vermillion,
  palette.sky,
] as const;
export const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'] as const;

/** Colour and shape by the same field, one legend for both. */
export function seriesEncoding(field: string, names: readonly string[]) {
  const range = names.map((_, i) => SERIES[i % SERIES.length]!);
  return {
    color: { field, type: 'nominal' as const, scale: { domain: [...names], range }, legend: legendOf(names) },
    shape: {
      field,
      type: 'nominal' as const,
      scale: { domain: [...names], range: names.map((_, i) => SHAPES[i % SHAPES.length]!) },
      legend: legendOf(names),
    },
  };
}

/** Entries per row so that a legend stays within the plot. */
function legendOf(names: readonly string[]) {
  const longest = Math.max(...names.map((name) => name.length));
  return { columns: Math.max(1, Math.min(names.length, Math.floor(44 / (longest + 4)))) };
}

/** Share → percent, and an interval only where there is one. */
export function percentPoint({ mean, low, high }: { mean: number; low: number; high: number }) {
  const known = Number.isFinite(low) && Number.isFinite(high);
  return { f1: 100 * mean, low: known ? 100 * low : null, high: known ? 100 * high : null };
}

export const F1_AXIS = { title: 'F1 (%)', axis: { tickCount: 5 } };
export const INTERVAL_NOTE = '95 % intervals over seeds and questions';
