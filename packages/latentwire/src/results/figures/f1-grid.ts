/** F1 by number of latents, one line per width; text and as many tokens of text as references. */
import { F1_AXIS, INTERVAL_NOTE, percentPoint, seriesEncoding } from './marks.js';
import { type FigureSpec, PLOT_WIDTH, palette } from './theme.js';

export interface GridPoint {
  readonly latents: number;
  readonly width: number;
  /** In [0, 1]; low and high NaN when there is no interval. */
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface GridReferences {
  /** F1 of the whole text. */
  readonly text?: number | undefined;
  readonly noContext?: number | undefined;
  /** F1 of M tokens of text, by M. */
  readonly budget?: readonly { readonly latents: number; readonly f1: number }[];
}

/** @param points at least one */
export function f1Grid(
  points: readonly GridPoint[],
  references: GridReferences = {},
  options: { readonly subtitle?: string } = {},
): FigureSpec {
  const widths = [...new Set(points.map(({ width }) => width))].sort((a, b) => a - b);
  const name = (width: number): string => `d_z = ${width}`;
  const lengths = [...new Set(points.map(({ latents }) => latents))].sort((a, b) => a - b);
  // Widths stand side by side, so that their intervals do not cover each other.
  const values = points.map((point) => ({
    ...percentPoint(point),
    M: String(point.latents),
    series: name(point.width),
  }));
  const budget = (references.budget ?? []).filter(({ latents }) => lengths.includes(latents));
  const rules = [
    ...(references.text === undefined ? [] : [{ label: 'full text', f1: 100 * references.text, below: 0 }]),
    ...(references.noContext === undefined
      ? []
      : [
          { label: 'no context', f1: 100 * references.noContext, below: references.noContext > 0.08 ? 1 : 0 },
        ]),
  ];
  const x = {
    field: 'M',
    type: 'nominal' as const,
    sort: lengths.map(String),
    title: 'latents M',
    axis: { labelAngle: 0, grid: false },
  };
  const names = widths.map(name);
  const offset = { field: 'series', type: 'nominal' as const, sort: names };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: PLOT_WIDTH,
    height: 170,
    title: {
      text: 'F1 by number and width of latents',
      subtitle:
        options.subtitle ??
        (budget.length > 0 ? [INTERVAL_NOTE, 'dash: the first M tokens of the text'] : INTERVAL_NOTE),
    },
    data: { values },
    layer: [
      {
        data: { values: rules },
        mark: { type: 'rule', strokeDash: [4, 3], color: palette.grey },
        encoding: { y: { field: 'f1', type: 'quantitative' } },
      },
      ...[0, 1].map((below) => ({
        data: { values: rules.filter((rule) => rule.below === below) },
        mark: {
          type: 'text' as const,
          align: 'right' as const,
          baseline: below ? ('top' as const) : ('bottom' as const),
          dy: below ? 3 : -2,
          fontSize: 10,
          color: '#555555',
        },
        encoding: {
          x: { value: PLOT_WIDTH },
          y: { field: 'f1', type: 'quantitative' as const },
          text: { field: 'label' },
        },
      })),
      {
        data: {
          values: budget.map(({ latents, f1 }) => ({
            M: String(latents),
            f1: 100 * f1,
            label: 'M tokens of text',
          })),
        },
        mark: { type: 'tick', thickness: 2, color: palette.ink, width: 44 } as never,
        encoding: { x, y: { field: 'f1', type: 'quantitative' } },
      },
      {
        mark: { type: 'rule', strokeWidth: 1.2 },
        encoding: {
          x,
          xOffset: offset,
          y: { field: 'low', type: 'quantitative' },
          y2: { field: 'high' },
          color: seriesEncoding('series', names).color,
        },
      },
      {
        mark: { type: 'point', filled: true, size: 42, opacity: 1 },
        encoding: {
          x,
          xOffset: offset,
          y: { field: 'f1', type: 'quantitative', ...F1_AXIS, scale: { zero: true } },
          ...seriesEncoding('series', names),
        },
      },
    ],
  };
}
