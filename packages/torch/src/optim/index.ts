export * from './adamw.js';
export * from './clip.js';
export * from './gradients.js';
export * from './schedule.js';
