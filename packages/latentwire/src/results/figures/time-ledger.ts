/** Where the time of each run went: shares of its wall time, stacked. */
import { SERIES } from './marks.js';
import { type FigureSpec, PLOT_WIDTH, shorten } from './theme.js';

export interface LedgerBar {
  readonly label: string;
  /** Part → seconds. */
  readonly seconds: Readonly<Record<string, number>>;
}

export function timeLedger(
  bars: readonly LedgerBar[],
  options: { readonly subtitle?: string } = {},
): FigureSpec {
  const parts = [...new Set(bars.flatMap(({ seconds }) => Object.keys(seconds)))];
  const values = bars.flatMap(({ label, seconds }) => {
    const total = Object.values(seconds).reduce((a, b) => a + b, 0);
    return parts.flatMap((part, order) =>
      seconds[part] === undefined || total === 0
        ? []
        : [{ label: shorten(label, 24), part, order, share: (100 * seconds[part]) / total }],
    );
  });
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: PLOT_WIDTH - 95,
    height: { step: 17 },
    title: {
      text: 'Where the time went',
      subtitle: options.subtitle ?? 'share of wall time, mean over runs of a cell',
      frame: 'bounds',
    },
    data: { values },
    mark: { type: 'bar', height: 11 },
    encoding: {
      y: {
        field: 'label',
        type: 'nominal',
        sort: null,
        title: null,
        axis: { ticks: false, domain: false, labelPadding: 6, labelLimit: 0 },
      },
      x: {
        field: 'share',
        type: 'quantitative',
        title: 'share (%)',
        stack: 'zero',
        scale: { domain: [0, 100] },
        axis: { grid: false, tickCount: 5 },
      },
      order: { field: 'order', type: 'quantitative' },
      color: {
        field: 'part',
        type: 'nominal',
        scale: { domain: parts, range: parts.map((_, i) => SERIES[i % SERIES.length]!) },
        legend: { columns: 3 },
      },
    },
  };
}
