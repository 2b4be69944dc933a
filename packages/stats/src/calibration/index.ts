/** Simulations that check the promises of this package; used by its tests and by bench/stats, not part of its face. */
export { type CoverageScenario, coverageScenarios } from './coverage-scenarios.js';
export { BINARY_DISCORDANCE, type DataKind, pairedData, Simulation } from './data.js';
export { type NullScenario, nullScenarios } from './null-scenarios.js';
export { type PowerScenario, powerScenarios } from './power-scenarios.js';
