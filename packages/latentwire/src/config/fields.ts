/** The schema as a flat list: what the command line, the file reader and error messages work from. */
import type { z } from 'zod';
import { LatentWireError, nearestName } from '../errors.js';
import { type FieldInfo, fieldInfo, groupInfo } from './field.js';
import { runConfigSchema } from './schema.js';

export interface ConfigField extends FieldInfo {
  /** `group.key` */
  readonly path: string;
  readonly group: string;
  readonly key: string;
  /** Long flag with dashes between words, without the leading `--`. */
  readonly flag: string;
  readonly default: unknown;
}

export interface ConfigGroup {
  readonly name: string;
  readonly help: string;
  readonly fields: readonly ConfigField[];
}

/** All groups, in schema order. */
export const configGroups: readonly ConfigGroup[] = Object.entries(runConfigSchema.shape).map(
  ([name, wrapped]) => {
    const type = wrapped.def.innerType;
    const fields = Object.entries(type.shape as Record<string, z.ZodType>).map(
      ([key, field]): ConfigField => {
        const info = fieldInfo.get(field);
        if (info === undefined) {
          throw new LatentWireError(`${name}.${key} was not made by a builder of field.ts`, {
            code: 'internal',
          });
        }
        const flag = info.flag ?? key.replaceAll('_', '-');
        return { ...info, path: `${name}.${key}`, group: name, key, flag, default: field.parse(undefined) };
      },
    );
    return { name, help: groupInfo.get(type)?.help ?? '', fields };
  },
);

/** All fields, in schema order. */
export const configFields: readonly ConfigField[] = configGroups.flatMap((group) => group.fields);

const byPath = new Map(configFields.map((field) => [field.path, field]));

/** The field at `group.key`, or undefined. */
export function findField(path: string): ConfigField | undefined {
  return byPath.get(path);
}

/**
 * The field at `group.key`.
 * @param origin where the name was written, for the message
 * @throws LatentWireError `input` naming the nearest key.
 */
export function fieldAt(path: string, origin: string): ConfigField {
  const field = byPath.get(path);
  if (field !== undefined) return field;
  throw new LatentWireError(`${origin}: unknown setting ${JSON.stringify(path)}`, {
    code: 'input',
    hint: suggestPath(path),
  });
}

/** "did you mean …" for a wrong path: a key in the wrong (or no) group, else the nearest spelling. */
export function suggestPath(path: string): string {
  const key = path.slice(path.lastIndexOf('.') + 1).replaceAll('-', '_');
  const sameKey = configFields.find((field) => field.key === key || field.flag.replaceAll('-', '_') === key);
  if (sameKey !== undefined) return `did you mean ${sameKey.path}?`;
  const groups = configGroups.map((group) => group.name);
  const nearest = nearestName(path, path.includes('.') ? byPath.keys() : [...groups, ...byPath.keys()]);
  if (nearest !== undefined) return `did you mean ${nearest}?`;
  const group = configGroups.find(({ name }) => path.startsWith(`${name}.`));
  if (group !== undefined) return `${group.name} has ${group.fields.map((field) => field.key).join(', ')}`;
  const nearestKey = nearestName(
    key,
    configFields.map((field) => field.key),
  );
  const field = configFields.find((candidate) => candidate.key === nearestKey);
  return field === undefined ? `groups are ${groups.join(', ')}` : `did you mean ${field.path}?`;
}
