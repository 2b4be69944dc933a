/** From assignments to a complete configuration: defaults < file < command line, later ones win. */
import { LatentWireError } from '../errors.js';
import type { Assignment } from './assignment.js';
import { checkConfig } from './check.js';
import { fieldAt, findField } from './fields.js';
import { readConfigFile } from './file.js';
import { type RunConfig, runConfigSchema } from './schema.js';

/** The configuration when nothing is set. It names no model yet, so `checkConfig` would refuse it. */
export function defaultConfig(): RunConfig {
  return runConfigSchema.parse({});
}

/**
 * Applies `file`, then `assignments` in order, over the defaults, and checks values and conflicts.
 * @throws LatentWireError `input`: every wrong value with the place it was written at.
 */
export function resolveConfig(
  options: { readonly file?: string | undefined; readonly assignments?: readonly Assignment[] } = {},
): RunConfig {
  const { file, assignments = [] } = options;
  const fromFile = file === undefined ? [] : readConfigFile(file);
  const config = applyAssignments([...fromFile, ...assignments]);
  checkConfig(config);
  return config;
}

/** The same without the checks across settings, for commands that use only a part of the configuration. */
export function applyAssignments(assignments: readonly Assignment[]): RunConfig {
  const tree: Record<string, Record<string, unknown>> = {};
  const written = new Map<string, Assignment>();
  for (const assignment of assignments) {
    const { group, key, path } = fieldAt(assignment.path, assignment.origin);
    tree[group] ??= {};
    const before = tree[group][key];
    const extend = assignment.append === true && written.get(path)?.append === true;
    tree[group][key] = extend
      ? [...(before as unknown[]), ...(assignment.value as unknown[])]
      : assignment.value;
    written.set(path, assignment);
  }
  const result = runConfigSchema.safeParse(tree);
  if (result.success) return result.data;

  const lines = new Set<string>();
  for (const issue of result.error.issues) {
    const path = issue.path.slice(0, 2).join('.');
    const assignment = written.get(path);
    const expected = findField(path)?.expectation ?? issue.message;
    lines.add(`${assignment?.origin ?? path}: expected ${expected}, got ${show(assignment?.value)}`);
  }
  throw new LatentWireError([...lines].join('\n'), { code: 'input', hint: 'see latentwire train --help' });
}

function show(value: unknown): string {
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
}
