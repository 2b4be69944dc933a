/** Several seeds, clustered items, several tasks. */
export {
  type AggregateOptions,
  interquartileMean,
  type ProbabilityOfImprovement,
  probabilityOfImprovement,
  type RunsByTask,
} from './aggregate.js';
export { type ClusteredOptions, type ClusteredStandardError, clusteredStandardError } from './clustered.js';
export {
  averageRows,
  type SeedComponent,
  type SeedRows,
  satterthwaite,
  seedComponent,
  type VariancePart,
} from './components.js';
export {
  type HierarchicalData,
  type HierarchicalInterval,
  type HierarchicalOptions,
  hierarchicalBootstrap,
  type SeedsByItems,
} from './hierarchical.js';
