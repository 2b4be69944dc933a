/** Aggregation of run directories. */
export { type AggregateOptions, aggregateRuns, runDirectories } from './aggregate.js';
export { type Answers, measuresOf, RUN_FILES, type RunReading, readRun } from './read-run.js';
export {
  type Group,
  type Measure,
  type MethodColumns,
  type Place,
  type Reference,
  type ResultsDocument,
  type RunEntry,
  serializeResults,
} from './results-document.js';
