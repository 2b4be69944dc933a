/** The run configuration: one schema for types, defaults, help, YAML and flags. */
export { type Assignment, assignPair, assignText, readAbsent } from './assignment.js';
export { checkConfig } from './check.js';
export { type EnvironmentDefaults, environmentDefaults } from './environment-defaults.js';
export { examplesPerStep } from './examples-per-step.js';
export type { FieldInfo, FieldKind } from './field.js';
export { type ConfigField, type ConfigGroup, configFields, configGroups, findField } from './fields.js';
export { parseConfigText, readConfigFile } from './file.js';
export {
  type ConfigDifference,
  canonicalJson,
  changedSettings,
  configHash,
  diffConfigs,
  settingsHash,
} from './hash.js';
export { applyAssignments, defaultConfig, parseConfig, resolveConfig } from './resolve.js';
export { type RunConfig, type RunConfigInput, runConfigSchema } from './schema.js';
