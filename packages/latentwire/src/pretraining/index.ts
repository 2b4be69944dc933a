/** Training of the bundled models from random weights. */
export { initialiseDecoder } from './initialise.js';
export type { FactsScore } from './measure.js';
export { measureFacts } from './measure.js';
export { type ModelDesign, type ModelDesignName, modelDesign, modelDesignNames } from './model-designs.js';
export { type PretrainOptions, type PretrainResult, type PretrainStep, pretrain } from './pretrain.js';
