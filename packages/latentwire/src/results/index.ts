/** From run directories to figures and tables. */
export {
  type AggregateOptions,
  aggregateRuns,
  type Group,
  type Measure,
  type ResultsDocument,
  type RunReading,
  readRun,
  runDirectories,
  serializeResults,
} from './aggregate/index.js';
export { drawRunFigures } from './draw-run-figures.js';
export { f1Bars, type ModelF1 } from './figures/f1-bars.js';
export { type LossPoint, lossCurve } from './figures/loss-curve.js';
export { renderFigure, renderPng, renderSvg } from './figures/render.js';
export { type FigureSpec, palette } from './figures/theme.js';
export { buildReport, type ReportFiles, type ReportOptions, writeRunReport } from './report/index.js';
export { reportStatistics, type StatisticsReport, type StatisticsRequest } from './statistics.js';
export { type Cell, type Column, renderTable, type Table } from './tables/index.js';
