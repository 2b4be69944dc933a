/** From assignments to a complete configuration: defaults < file < command line, later ones win. */
import { LatentWireError } from '../errors.js';
import type { Assignment } from './assignment.js';
import { checkConfig } from './check.js';
import { type EnvironmentDefaults, environmentDefaults } from './environment-defaults.js';
import { fieldAt, findField } from './fields.js';
import { readConfigFile } from './file.js';
import { type RunConfig, runConfigSchema } from './schema.js';

/** The configuration when nothing is set. It names no model yet, so `checkConfig` would refuse it. */
export function defaultConfig(): RunConfig {
  return runConfigSchema.parse({});
}

/**
 * Applies what the environment says, then `file`, then `assignments` in order, over the defaults, and checks values and
 * conflicts.
 * @throws LatentWireError `input`: every wrong value with the place it was written at.
 */
export function resolveConfig(
  options: {
    readonly file?: string | undefined;
    readonly assignments?: readonly Assignment[];
    /** Its variables that stand for settings are heeded; absent: none is. */
    readonly environment?: NodeJS.ProcessEnv;
    /** Told what came of the environment. */
    readonly onEnvironment?: (heeded: EnvironmentDefaults['notes']) => void;
  } = {},
): RunConfig {
  const { file, assignments = [], environment } = options;
  const fromFile = file === undefined ? [] : readConfigFile(file);
  const written = [...fromFile, ...assignments];
  const defaults = environmentDefaults(environment ?? {}, written);
  const config = applyAssignments([...defaults.assignments, ...written]);
  checkConfig(config);
  if (defaults.notes.length > 0) options.onEnvironment?.(defaults.notes);
  return config;
}

/**
 * Applies assignments in order to `base` (the defaults when absent), without the checks across settings: for
 * commands that use only a part of the configuration, or change a stored one.
 * @throws LatentWireError `input`: every wrong value with the place it was written at.
 */
export function applyAssignments(assignments: readonly Assignment[], base?: RunConfig): RunConfig {
  const tree: Record<string, Record<string, unknown>> = structuredClone(base ?? {});
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
  return parseTree(tree, (path) => {
    const assignment = written.get(path);
    return { origin: assignment?.origin ?? path, value: assignment?.value };
  });
}

/**
 * Checks a stored configuration, e.g. `findRun(name).config`; settings added since it was written take their
 * defaults.
 * @param origin names the document in errors
 * @throws LatentWireError `input` naming every setting that is wrong or unknown.
 */
export function parseConfig(stored: unknown, origin: string): RunConfig {
  const tree = stored as Record<string, Record<string, unknown>> | undefined;
  return parseTree(stored, (path) => {
    const [group = '', key = ''] = path.split('.');
    return { origin: `${origin}: ${path}`, value: tree?.[group]?.[key] };
  });
}

function parseTree(
  tree: unknown,
  locate: (path: string) => { readonly origin: string; readonly value: unknown },
): RunConfig {
  const result = runConfigSchema.safeParse(tree);
  if (result.success) return result.data;

  const lines = new Set<string>();
  for (const issue of result.error.issues) {
    const path = issue.path.slice(0, 2).join('.');
    const { origin, value } = locate(path);
    const field = findField(path);
    lines.add(
      field ? `${origin}: expected ${field.expectation}, got ${show(value)}` : `${origin}: ${issue.message}`,
    );
  }
  throw new LatentWireError([...lines].join('\n'), { code: 'input', hint: 'see latentwire train --help' });
}

function show(value: unknown): string {
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
}
