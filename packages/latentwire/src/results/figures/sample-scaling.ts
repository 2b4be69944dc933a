/** F1 by number of training examples, with a straight line in the logarithm where three sizes or more allow it. */
import { INTERVAL_NOTE, percentPoint } from './marks.js';
import { type FigureSpec, f1Axis, PLOT_WIDTH, palette } from './theme.js';

export interface SamplePoint {
  readonly samples: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** F1 = intercept + slope · log10(samples), F1 in [0, 1]. */
export interface LogFit {
  readonly intercept: number;
  readonly slope: number;
  /** Share of the variance of the means that the line explains. */
  readonly r2: number;
}

/** Ordinary least squares on the means; undefined for fewer than three sizes. */
export function fitLog(points: readonly SamplePoint[]): LogFit | undefined {
  if (new Set(points.map(({ samples }) => samples)).size < 3) return undefined;
  const xs = points.map(({ samples }) => Math.log10(samples));
  const ys = points.map(({ mean }) => mean);
  const centre = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [x0, y0] = [centre(xs), centre(ys)];
  const sxx = xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
  const sxy = xs.reduce((sum, x, i) => sum + (x - x0) * (ys[i]! - y0), 0);
  const syy = ys.reduce((sum, y) => sum + (y - y0) ** 2, 0);
  const slope = sxy / sxx;
  return { intercept: y0 - slope * x0, slope, r2: syy === 0 ? 1 : (sxy * sxy) / (sxx * syy) };
}

export function sampleScaling(
  points: readonly SamplePoint[],
  options: { readonly text?: number | undefined } = {},
): FigureSpec {
  const sorted = [...points].sort((a, b) => a.samples - b.samples);
  const fit = fitLog(sorted);
  const ends = fit === undefined ? [] : [sorted[0]!, sorted.at(-1)!];
  const line = ends.map(({ samples }) => ({
    samples,
    f1: 100 * (fit!.intercept + fit!.slope * Math.log10(samples)),
  }));
  const slope =
    fit === undefined
      ? ''
      : `; line: ${fit.slope >= 0 ? '+' : '−'}${Math.abs(100 * fit.slope).toFixed(1)} points per decade (R² ${fit.r2.toFixed(2)})`;
  const x = {
    field: 'samples',
    type: 'quantitative' as const,
    title: 'training examples',
    scale: {
      type: 'log' as const,
      domain: [sorted[0]!.samples / 1.2, sorted.at(-1)!.samples * 1.2],
      nice: false,
    },
    axis: { grid: false, values: sorted.map(({ samples }) => samples), format: '.3~s', labelOverlap: true },
  };
  const text = options.text;
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: PLOT_WIDTH,
    height: 150,
    title: {
      text: 'F1 by training examples',
      subtitle: [INTERVAL_NOTE, ...(slope === '' ? [] : [slope.slice(2)])],
    },
    layer: [
      ...(text === undefined
        ? []
        : [
            {
              data: { values: [{ f1: 100 * text }] },
              mark: { type: 'rule' as const, strokeDash: [4, 3], color: palette.grey },
              encoding: { y: f1Axis },
            },
            {
              data: { values: [{ f1: 100 * text, label: 'full text' }] },
              mark: {
                type: 'text' as const,
                align: 'right' as const,
                baseline: 'bottom' as const,
                dy: -2,
                fontSize: 10,
                color: '#555555',
              },
              encoding: { x: { value: PLOT_WIDTH }, y: f1Axis, text: { field: 'label' } },
            },
          ]),
      {
        data: { values: line },
        mark: { type: 'line', color: palette.orange, strokeWidth: 1.4 },
        encoding: { x, y: f1Axis },
      },
      {
        data: { values: sorted.map((point) => ({ ...percentPoint(point), samples: point.samples })) },
        layer: [
          {
            mark: { type: 'rule', strokeWidth: 1.2, color: palette.blue },
            encoding: { x, y: { field: 'low', type: 'quantitative' }, y2: { field: 'high' } },
          },
          {
            mark: { type: 'point', filled: true, size: 46, opacity: 1, color: palette.blue },
            encoding: { x, y: f1Axis },
          },
        ],
      },
    ],
  };
}
