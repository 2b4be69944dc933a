/** What each part is worth: the change of F1 when it is taken away, with its interval. */
import { type FigureSpec, PLOT_WIDTH, palette, shorten } from './theme.js';

export interface AblationBar {
  readonly label: string;
  /** Of F1, in [−1, 1]: without the part minus full. */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  readonly significant: boolean;
}

export function ablationBars(
  bars: readonly AblationBar[],
  options: { readonly reference?: string } = {},
): FigureSpec {
  const values = bars.map((bar) => ({
    label: shorten(bar.label, 22),
    difference: 100 * bar.difference,
    low: Number.isFinite(bar.low) ? 100 * bar.low : null,
    high: Number.isFinite(bar.high) ? 100 * bar.high : null,
    kind: bar.significant ? SHOWN : NOT_SHOWN,
  }));
  const y = {
    field: 'label',
    type: 'nominal' as const,
    sort: values.map(({ label }) => label),
    title: null,
    axis: { ticks: false, domain: false, labelPadding: 6, labelLimit: 0 },
  };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: PLOT_WIDTH - 60,
    height: { step: 24 },
    title: {
      text: 'Ablations',
      subtitle: `change of F1 against ${options.reference ?? 'the full system'}, 95 % intervals`,
      anchor: 'start',
      frame: 'bounds',
    },
    data: { values },
    layer: [
      {
        mark: { type: 'bar', height: 12 },
        encoding: {
          y,
          x: { field: 'difference', type: 'quantitative', title: 'ΔF1 (points)', axis: { tickCount: 5 } },
          color: {
            field: 'kind',
            type: 'nominal',
            scale: { domain: [SHOWN, NOT_SHOWN], range: [palette.vermillion, '#B8B8B8'] },
            legend: { columns: 1 },
          },
        },
      },
      {
        mark: { type: 'rule', strokeWidth: 1.2, color: palette.ink },
        encoding: { y, x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
      },
      {
        data: { values: [{ zero: 0 }] },
        mark: { type: 'rule', color: '#888888' },
        encoding: { x: { field: 'zero', type: 'quantitative' } },
      },
    ],
  };
}

const SHOWN = 'p < 0.05 after correction';
const NOT_SHOWN = 'no difference shown';
