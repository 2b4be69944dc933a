/** SQL over run directories. */
export { type QueryResult, queryRuns, VIEWS } from './query-runs.js';
