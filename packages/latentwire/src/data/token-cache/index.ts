/** Token ids of datasets on disk. */
export { TokenCache, type TokenCacheOptions } from './token-cache.js';
