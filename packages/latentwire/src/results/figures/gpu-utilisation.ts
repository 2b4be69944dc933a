/** GPU utilisation over the time of a run: mean and range of its GPUs in equal parts of time. */
import { type FigureSpec, PLOT_WIDTH, palette } from './theme.js';

export interface GpuSample {
  /** Seconds since the first sample. */
  readonly seconds: number;
  /** Percent. */
  readonly utilisation: number;
}

const PARTS = 120;

export function gpuUtilisation(
  samples: readonly GpuSample[],
  options: { readonly subtitle?: string } = {},
): FigureSpec {
  const end = Math.max(1, ...samples.map(({ seconds }) => seconds));
  const parts = new Map<number, number[]>();
  for (const { seconds, utilisation } of samples) {
    const part = Math.min(PARTS - 1, Math.floor((PARTS * seconds) / end));
    parts.set(part, [...(parts.get(part) ?? []), utilisation]);
  }
  const values = [...parts]
    .sort(([a], [b]) => a - b)
    .map(([part, list]) => ({
      minutes: ((part + 0.5) * end) / PARTS / 60,
      mean: list.reduce((a, b) => a + b, 0) / list.length,
      low: Math.min(...list),
      high: Math.max(...list),
    }));
  const x = {
    field: 'minutes',
    type: 'quantitative' as const,
    title: 'minutes',
    axis: { grid: false, tickCount: 5 },
  };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: PLOT_WIDTH,
    height: 110,
    title: {
      text: 'GPU utilisation',
      subtitle: options.subtitle ?? 'line: mean, band: lowest to highest sample',
    },
    data: { values },
    layer: [
      {
        mark: { type: 'area', color: palette.sky, opacity: 0.35 },
        encoding: { x, y: { field: 'low', type: 'quantitative' }, y2: { field: 'high' } },
      },
      {
        mark: { type: 'line', color: palette.blue, strokeWidth: 1.5 },
        encoding: {
          x,
          y: {
            field: 'mean',
            type: 'quantitative',
            title: 'utilisation (%)',
            scale: { domain: [0, 100] },
            axis: { tickCount: 5 },
          },
        },
      },
    ],
  };
}
