/** Several processes that train together: a store for texts, and sums of tensors over all of them. */
export { type Backend, backends, type GroupOptions, ProcessGroup } from './process-group.js';
export { Store, type StoreOptions } from './store.js';
