/**
 * Identity of a configuration: the sha256 of its canonical JSON (keys sorted by code unit, no white space,
 * ECMAScript number text, as in RFC 8785), so that it does not depend on key order or on how it was written.
 */
import { createHash } from 'node:crypto';
import { LatentWireError } from '../errors.js';
import { findField } from './fields.js';
import type { RunConfig } from './schema.js';

/** 64 hex digits. */
export function configHash(config: RunConfig): string {
  return createHash('sha256').update(canonicalJson(config), 'utf8').digest('hex');
}

/**
 * Identity of what is computed: the hash without settings that only say where, how long or how loudly it runs
 * (`operational`), and without `except`.
 * @param config a configuration, or one as stored in config.json (unknown settings count)
 * @param except `group.key` of settings that do not count, e.g. `run.seed` to find the runs of one group
 */
export function settingsHash(config: unknown, except: readonly string[] = []): string {
  const counted = settingTexts(config).filter(([path]) => !except.includes(path));
  return createHash('sha256')
    .update(`{${counted.map(([, text]) => text).join(',')}}`, 'utf8')
    .digest('hex');
}

/** By configuration: a reader of thousands of runs asks for two hashes of each. */
const texts = new WeakMap<object, readonly (readonly [path: string, text: string])[]>();

/** `"group.key":value` of every setting that is not operational, in canonical order. */
function settingTexts(config: unknown): readonly (readonly [path: string, text: string])[] {
  const known = texts.get(config as object);
  if (known !== undefined) return known;
  const list = [...flatten(config)]
    .filter(([path]) => findField(path)?.operational !== true)
    .map(([path, value]) => [path, `${JSON.stringify(path)}:${canonicalJson(value)}`] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  texts.set(config as object, list);
  return list;
}

/** One text per value. @throws LatentWireError `internal` on what JSON cannot hold (undefined, NaN, functions). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const object = value as Record<string, unknown>;
    const members = Object.keys(object).sort();
    return `{${members.map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key])}`).join(',')}}`;
  }
  const json = typeof value === 'number' && !Number.isFinite(value) ? undefined : JSON.stringify(value);
  if (json === undefined) {
    throw new LatentWireError(`expected a JSON value, got ${String(value)}`, { code: 'internal' });
  }
  return json;
}

export interface ConfigDifference {
  /** `group.key` */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** The settings in which two configurations differ; a setting that one side lacks is `undefined` there. */
export function diffConfigs(before: unknown, after: unknown): ConfigDifference[] {
  const left = flatten(before);
  const right = flatten(after);
  const paths = [...new Set([...left.keys(), ...right.keys()])];
  return paths
    .filter((path) => same(left.get(path), right.get(path)) === false)
    .map((path) => ({ path, before: left.get(path), after: right.get(path) }));
}

/**
 * The settings by which two configurations compute different things: operational ones do not count, nor those that
 * were added since `before` was stored and have their default.
 */
export function changedSettings(before: unknown, after: unknown): ConfigDifference[] {
  return diffConfigs(before, after).filter(({ path, before: was, after: is }) => {
    const field = findField(path);
    if (field?.operational === true) return false;
    return was !== undefined || !same(is, field?.default);
  });
}

function same(a: unknown, b: unknown): boolean {
  return a === undefined || b === undefined ? a === b : canonicalJson(a) === canonicalJson(b);
}

function flatten(config: unknown): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [group, fields] of Object.entries(config ?? {})) {
    if (typeof fields !== 'object' || fields === null) flat.set(group, fields);
    else for (const [key, value] of Object.entries(fields)) flat.set(`${group}.${key}`, value);
  }
  return flat;
}
