/** From run directories to figures and tables. */
export { drawRunFigures } from './draw-run-figures.js';
export { f1Bars, type ModelF1 } from './figures/f1-bars.js';
export { type LossPoint, lossCurve } from './figures/loss-curve.js';
export { renderFigure, renderPng, renderSvg } from './figures/render.js';
export { type FigureSpec, palette } from './figures/theme.js';
export { reportStatistics, type StatisticsReport, type StatisticsRequest } from './statistics.js';
export { type Cell, type Column, renderTable, type Table } from './table.js';
