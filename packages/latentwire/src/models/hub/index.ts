export { fetchDatasetFiles } from './dataset-files.js';
export { type HubEnvironment, hubEnvironment } from './environment.js';
export { type ModelReference, parseReference } from './reference.js';
export { type ResolvedModel, type ResolveOptions, resolveModel } from './resolve-model.js';
export type { DownloadProgress, ModelParts } from './snapshot.js';
