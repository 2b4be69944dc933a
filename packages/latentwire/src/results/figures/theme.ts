/**
 * Look of all figures: one column of a paper (3.4 in), 7–8 pt text, the colour-blind-safe palette of Okabe and
 * Ito (2008; see Wong, Nature Methods 8, 441, 2011). Fonts come with the package, never from the machine, so
 * that a figure has the same bytes everywhere.
 */
import { createRequire } from 'node:module';
import type { Config, TopLevelSpec } from 'vega-lite';

/** A Vega-Lite specification. */
export type FigureSpec = TopLevelSpec;

/** Plot width in CSS pixels; with axis and padding about 330 = 3.4 in at 96 per inch. */
export const PLOT_WIDTH = 270;

/** PNG pixels per CSS pixel: 288 per inch. */
export const PNG_SCALE = 3;

export const FONT_FAMILY = 'IBM Plex Sans';

export const palette = {
  blue: '#0072B2',
  orange: '#E69F00',
  green: '#009E73',
  purple: '#CC79A7',
  sky: '#56B4E9',
  vermillion: '#D55E00',
  grey: '#8C8C8C',
  ink: '#222222',
} as const;

export const theme: Config = {
  font: FONT_FAMILY,
  background: 'white',
  padding: 6,
  view: { stroke: null },
  axis: {
    labelFontSize: 10,
    titleFontSize: 10,
    titleFontWeight: 400,
    labelColor: palette.ink,
    titleColor: palette.ink,
    domainColor: '#888888',
    tickColor: '#888888',
    gridColor: '#E8E8E8',
    tickSize: 4,
    labelFlush: false,
    titlePadding: 6,
  },
  legend: {
    labelFontSize: 10,
    titleFontSize: 10,
    labelColor: palette.ink,
    orient: 'top',
    direction: 'horizontal',
    title: null,
    offset: 4,
    symbolStrokeWidth: 2,
    labelLimit: 0,
    columnPadding: 14,
  },
  title: {
    fontSize: 11,
    fontWeight: 600,
    anchor: 'start',
    frame: 'group',
    color: palette.ink,
    subtitleFontSize: 10,
    subtitleColor: '#555555',
    subtitlePadding: 2,
    offset: 8,
  },
  header: { labelFontSize: 10, labelFontWeight: 600, labelColor: palette.ink, titleFontSize: 10 },
};

/** Vertical axis of F1 in percent, from 0. */
export const f1Axis = {
  field: 'f1',
  type: 'quantitative' as const,
  title: 'F1 (%)',
  axis: { tickCount: 5 },
  scale: { zero: true },
};

/** Cuts a long name in the middle, so that it does not widen a figure. */
export function shorten(text: string, longest = 40): string {
  if (text.length <= longest) return text;
  const tail = Math.floor(longest * 0.4);
  return `${text.slice(0, longest - tail - 1)}…${text.slice(-tail)}`;
}

/** TrueType files of the figure font (IBM Plex Sans, SIL Open Font License 1.1), regular and semi-bold. */
export function fontFiles(): string[] {
  const { resolve } = createRequire(import.meta.url);
  return ['400Regular/IBMPlexSans_400Regular.ttf', '600SemiBold/IBMPlexSans_600SemiBold.ttf'].map((file) =>
    resolve(`@expo-google-fonts/ibm-plex-sans/${file}`),
  );
}
