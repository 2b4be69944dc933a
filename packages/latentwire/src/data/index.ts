/** Datasets → typed examples. */

export { BatchPlan, type BatchPlanOptions } from './batches.js';
export { type DatasetBytes, parseJson, readDatasetFile } from './dataset-file.js';
export * from './example.js';
export { loadDataset } from './load-dataset.js';
export * from './locate.js';
export * from './shared-data.js';
export { loadSquad } from './squad.js';
export type { SquadVersion } from './squad-json.js';
export * from './subset.js';
export * from './tasks/index.js';
