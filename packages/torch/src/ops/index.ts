export * from './cast.js';
export * from './create.js';
export * from './functional.js';
export * from './indexing.js';
export * from './linalg.js';
export * from './pointwise.js';
export * from './reduce.js';
export * from './shape.js';
