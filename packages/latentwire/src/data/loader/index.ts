/** Batches composed ahead by worker threads. */
export { BatchLoader, type BatchLoaderOptions } from './batch-loader.js';
export type { Composer, ComposingModule } from './composer.js';
export { type SharedLists, sharedViews, shareLists } from './shared-lists.js';
