/**
 * Quality against compression. Methods that no other beats in both are joined by a line (the Pareto front).
 * The vertical rule at 1 says "as large as the text".
 */
import { INTERVAL_NOTE, percentPoint, seriesEncoding } from './marks.js';
import { type FigureSpec, f1Axis, PLOT_WIDTH, palette } from './theme.js';

export interface ParetoPoint {
  /** What the point is; one colour and shape each. */
  readonly series: string;
  /** Times smaller than the text. */
  readonly ratio: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const HEIGHT = 170;

export function pareto(
  points: readonly ParetoPoint[],
  unit: 'tokens' | 'bytes',
  options: { readonly floor?: number | undefined } = {},
): FigureSpec {
  const usable = points.filter(({ ratio, mean }) => ratio > 0 && Number.isFinite(mean));
  const names = [...new Set(usable.map(({ series }) => series))].sort((a, b) => rankOf(a) - rankOf(b));
  const front = frontOf(usable).map(({ ratio, mean }) => ({ ratio, f1: 100 * mean }));
  const ratios = usable.map(({ ratio }) => ratio);
  const domain = [Math.min(1, ...ratios) / 1.15, Math.max(1, ...ratios) * 1.15];
  const x = {
    field: 'ratio',
    type: 'quantitative' as const,
    title: unit === 'tokens' ? 'tokens of text per latent (×)' : 'bytes of text per byte sent (×)',
    scale: { type: 'log' as const, domain, nice: false },
    axis: { grid: false, values: ticksOf(domain as [number, number]), format: '~g' },
  };
  const floor = options.floor;
  const label = floorLabel(usable, floor ?? 0, domain as [number, number]);
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: PLOT_WIDTH,
    height: HEIGHT,
    title: {
      text: `F1 against ${unit === 'tokens' ? 'token' : 'byte'} compression`,
      subtitle: `${INTERVAL_NOTE}; line: Pareto front`,
    },
    layer: [
      {
        data: { values: [{ ratio: 1 }] },
        mark: { type: 'rule', color: '#BBBBBB', strokeDash: [2, 2] },
        encoding: { x },
      },
      ...(floor === undefined
        ? []
        : [
            {
              data: { values: [{ f1: 100 * floor }] },
              mark: { type: 'rule' as const, color: palette.grey, strokeDash: [4, 3] },
              encoding: { y: f1Axis },
            },
            {
              data: { values: [{ f1: 100 * floor, label: 'no context' }] },
              mark: { type: 'text' as const, ...label.mark, fontSize: 10, color: '#555555' },
              encoding: { x: { value: label.x }, y: f1Axis, text: { field: 'label' } },
            },
          ]),
      {
        data: { values: front },
        mark: { type: 'line', color: palette.ink, strokeWidth: 1, interpolate: 'linear' },
        encoding: { x, y: f1Axis },
      },
      {
        data: {
          values: usable.map((point) => ({
            ...percentPoint(point),
            ratio: point.ratio,
            series: point.series,
          })),
        },
        layer: [
          {
            mark: { type: 'rule', strokeWidth: 1 },
            encoding: {
              x,
              y: { field: 'low', type: 'quantitative' },
              y2: { field: 'high' },
              color: seriesEncoding('series', names).color,
            },
          },
          {
            mark: { type: 'point', filled: true, size: 46, opacity: 1 },
            encoding: { x, y: f1Axis, ...seriesEncoding('series', names) },
          },
        ],
      },
    ],
  };
}

/** Pixels that "no context" takes. */
const LABEL = { width: 62, height: 18 };

/** Where the name of the floor stands: the first of its four places that covers no point, interval or rule. */
function floorLabel(points: readonly ParetoPoint[], floor: number, [low, high]: [number, number]) {
  const top = Math.max(
    floor,
    ...points.map((point) => (Number.isFinite(point.high) ? point.high : point.mean)),
  );
  const xOf = (ratio: number): number => (Math.log(ratio / low) / Math.log(high / low)) * PLOT_WIDTH;
  const height = (LABEL.height / HEIGHT) * top;
  const covers = (right: boolean, above: boolean): boolean => {
    const from = right ? PLOT_WIDTH - LABEL.width : 0;
    const [bottom, end] = above ? [floor, floor + height] : [floor - height, floor];
    const within = (ratio: number): boolean => xOf(ratio) > from - 4 && xOf(ratio) < from + LABEL.width + 4;
    const hit = (point: ParetoPoint): boolean => {
      const [least, most] = Number.isFinite(point.low) ? [point.low, point.high] : [point.mean, point.mean];
      return within(point.ratio) && least < end && most > bottom;
    };
    return bottom < 0 || within(1) || points.some(hit);
  };
  const places = [false, true].flatMap((right) => [true, false].map((above) => ({ right, above })));
  const { right, above } = places.find((place) => !covers(place.right, place.above)) ?? places[0]!;
  return {
    x: right ? PLOT_WIDTH : 0,
    mark: {
      align: right ? ('right' as const) : ('left' as const),
      baseline: above ? ('bottom' as const) : ('top' as const),
      dx: right ? -3 : 3,
      dy: above ? -3 : 3,
    },
  };
}

/** References keep their colours from figure to figure: wires come first, what only one figure has comes last. */
const ORDER = ['wire', 'full text', 'M tokens of text', 'random projection', 'pooled embeddings'];

function rankOf(series: string): number {
  const rank = ORDER.findIndex((name) => series.startsWith(name));
  return rank < 0 ? ORDER.length : rank;
}

/** Points that none is better than in both, by rising ratio. */
export function frontOf<P extends { readonly ratio: number; readonly mean: number }>(
  points: readonly P[],
): P[] {
  const falling = [...points].sort((a, b) => b.ratio - a.ratio || b.mean - a.mean);
  const front: P[] = [];
  for (const point of falling) if (front.length === 0 || point.mean > front.at(-1)!.mean) front.push(point);
  return front.reverse();
}

/** 1-2-5 steps inside the domain. */
function ticksOf([low, high]: [number, number]): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of [1, 2, 5]) {
      const tick = Number((step * 10 ** power).toPrecision(3));
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}
