/** Training loss of several cells: one line each, the mean over neighbouring steps and over seeds. */
import { neighbourMean } from './loss-curve.js';
import { SERIES } from './marks.js';
import { type FigureSpec, PLOT_WIDTH, shorten } from './theme.js';

export interface LossSeries {
  readonly label: string;
  /** Steps ascending; nats per token. */
  readonly points: readonly { readonly step: number; readonly loss: number }[];
}

/** More lines than colours cannot be told apart. */
export const MOST_LINES = SERIES.length;
const DRAWN = 400;

export function lossCurves(
  series: readonly LossSeries[],
  options: { readonly subtitle?: string } = {},
): FigureSpec {
  const names = series.map(({ label }) => shorten(label, 26));
  const values = series.flatMap(({ points }, i) => {
    const finite = points.filter(({ loss }) => Number.isFinite(loss));
    const half = Math.max(1, Math.min(100, Math.round(finite.length / 40)));
    const smooth =
      finite.length < 20
        ? finite.map(({ loss }) => loss)
        : neighbourMean(
            finite.map(({ loss }) => loss),
            half,
          );
    const stride = Math.max(1, Math.floor(finite.length / DRAWN));
    return finite.flatMap(({ step }, k) =>
      k % stride === 0 || k === finite.length - 1 ? [{ step, loss: smooth[k]!, series: names[i]! }] : [],
    );
  });
  const steps = values.map(({ step }) => step);
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: PLOT_WIDTH,
    height: 160,
    title: { text: 'Training loss', subtitle: options.subtitle ?? 'mean over seeds and neighbouring steps' },
    data: { values },
    mark: { type: 'line', strokeWidth: 1.5 },
    encoding: {
      x: {
        field: 'step',
        type: 'quantitative',
        title: 'optimiser step',
        scale: { domain: [0, Math.max(1, ...steps)] },
        axis: { grid: false, tickCount: 5, tickMinStep: 1 },
      },
      y: {
        field: 'loss',
        type: 'quantitative',
        title: 'loss (nats per token)',
        scale: { zero: false },
        axis: { tickCount: 5 },
      },
      color: {
        field: 'series',
        type: 'nominal',
        scale: { domain: names, range: names.map((_, i) => SERIES[i % SERIES.length]!) },
        legend: { columns: 2 },
      },
      strokeDash: {
        field: 'series',
        type: 'nominal',
        scale: { domain: names, range: names.map((_, i) => DASHES[i % DASHES.length]!) },
        legend: { columns: 2 },
      },
    },
  };
}

/** Repeats what colours say, for black-and-white print. */
const DASHES = [
  [1, 0],
  [5, 2],
  [2, 2],
  [7, 2, 2, 2],
  [1, 2],
  [9, 3],
];
