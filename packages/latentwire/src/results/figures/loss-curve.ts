/** Training loss over optimiser steps: every step thin, the mean over neighbouring steps on top. */
import { type FigureSpec, PLOT_WIDTH, palette, shorten } from './theme.js';

export interface LossPoint {
  readonly step: number;
  /** Nats per token; points that are not finite are left out. */
  readonly loss: number;
}

/** More points than this are thinned: no printer shows them. */
const DRAWN = 1200;
/** Shorter runs are drawn as they are. */
const SMOOTHED_FROM = 20;
const EACH_STEP = 'each step';

/** @param points steps ascending, each once (as `readDiagnostics` gives them); at least one finite loss. */
export function lossCurve(points: readonly LossPoint[], options: { readonly run?: string } = {}): FigureSpec {
  const finite = points.filter(({ loss }) => Number.isFinite(loss));
  const smooth = finite.length >= SMOOTHED_FROM;
  const half = Math.max(2, Math.min(100, Math.round(finite.length / 60)));
  const label = `mean of ${2 * half + 1} steps`;
  const means = smooth
    ? neighbourMean(
        finite.map(({ loss }) => loss),
        half,
      )
    : [];
  const smoothed = means.map((loss, i) => ({ step: finite[i]!.step, loss }));
  const series = smooth ? [EACH_STEP, label] : [EACH_STEP];
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: PLOT_WIDTH,
    height: 150,
    title: { text: 'Training loss', ...(options.run !== undefined && { subtitle: shorten(options.run) }) },
    data: {
      values: [
        ...thin(finite).map((point) => ({ ...point, series: EACH_STEP })),
        ...thin(smoothed).map((point) => ({ ...point, series: label })),
      ],
    },
    mark: { type: 'line', point: smooth ? false : { filled: true, size: 16 } },
    encoding: {
      x: {
        field: 'step',
        type: 'quantitative',
        title: 'optimiser step',
        scale: { domain: [0, finite.at(-1)?.step ?? 1] },
        axis: { grid: false, tickCount: 5, tickMinStep: 1 },
      },
      y: {
        field: 'loss',
        type: 'quantitative',
        title: 'loss (nats per token)',
        scale: { domain: lossDomain(finite), nice: true },
        axis: { tickCount: 5 },
      },
      color: {
        field: 'series',
        type: 'nominal',
        scale: { domain: series, range: [smooth ? '#A9CBE3' : palette.blue, palette.blue] },
        legend: smooth ? {} : null,
      },
      strokeWidth: {
        field: 'series',
        type: 'nominal',
        scale: { domain: series, range: [smooth ? 0.8 : 1.2, 1.8] },
        legend: null,
      },
    },
  };
}

/**
 * Mean of up to 2·half + 1 neighbours. The window is symmetric at the start, where the loss falls fast and a
 * one-sided mean would lag; at the end it takes what is left.
 */
export function neighbourMean(values: readonly number[], half: number): number[] {
  const sums = [0];
  for (const value of values) sums.push(sums[sums.length - 1]! + value);
  return values.map((_, i) => {
    const back = Math.min(half, i);
    const from = i - back;
    const to = Math.min(values.length, i + (back < half ? back : half) + 1);
    return (sums[to]! - sums[from]!) / (to - from);
  });
}

/** From lowest to highest loss; one value alone gets room around it. */
function lossDomain(points: readonly LossPoint[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { loss } of points) {
    low = Math.min(low, loss);
    high = Math.max(high, loss);
  }
  return low < high ? [low, high] : [low - 1, high + 1];
}

/** Keeps the lowest and the highest point of each bucket, in order, so that spikes stay visible. */
function thin(points: readonly LossPoint[]): readonly LossPoint[] {
  if (points.length <= DRAWN) return points;
  const size = points.length / (DRAWN / 2);
  const kept: LossPoint[] = [];
  for (let start = 0; start < points.length; start += size) {
    const bucket = points.slice(Math.round(start), Math.round(start + size));
    if (bucket.length === 0) continue;
    const low = bucket.reduce((a, b) => (b.loss < a.loss ? b : a));
    const high = bucket.reduce((a, b) => (b.loss > a.loss ? b : a));
    kept.push(...(low === high ? [low] : low.step < high.step ? [low, high] : [high, low]));
  }
  return kept;
}
