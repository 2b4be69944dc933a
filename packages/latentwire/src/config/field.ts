/**
 * Building blocks of the configuration schema. A field is one zod type plus what zod does not know: its help
 * text with unit, how its value is written on a command line, and what an error calls "expected".
 */
import { z } from 'zod';

/** How the value of a field is written as text. */
export type FieldKind = 'integer' | 'number' | 'text' | 'choice' | 'toggle' | 'list';

export interface FieldInfo {
  readonly kind: FieldKind;
  /** One sentence for help, with the unit in it. */
  readonly help: string;
  /** What a valid value is, as in "expected an integer ≥ 1". */
  readonly expectation: string;
  /** Long flag without dashes when it is not the key itself. */
  readonly flag?: string;
  /** Further long flags that do the same. */
  readonly aliases?: readonly string[];
  /** Allowed values of a choice. */
  readonly choices?: readonly string[];
  /** null is allowed; written `none` or `all` on a command line. */
  readonly nullable?: boolean;
  /** May change between attempts of one run: it changes where, how long or how it is measured, not what is trained. */
  readonly operational?: boolean;
}

/** Field and group descriptions, kept beside the zod types they describe. */
export const fieldInfo = z.registry<FieldInfo>();
export const groupInfo = z.registry<{ readonly help: string }>();

type Extras = Pick<FieldInfo, 'flag' | 'aliases' | 'operational'>;

interface Bounds {
  readonly min?: number;
  readonly max?: number;
  /** The minimum itself is not allowed. */
  readonly above?: number;
}

export function integer(help: string, options: Bounds & Extras & { readonly default: number }) {
  const { default: value, ...rest } = options;
  const type = bounded(z.int(), rest).default(value);
  return type.register(fieldInfo, {
    kind: 'integer',
    help,
    expectation: `an integer${range(rest)}`,
    ...extras(rest),
  });
}

/** An integer, or `auto`: found by the program. */
export function integerOrAuto(help: string, options: Bounds & Extras & { readonly default: number }) {
  const { default: value, ...rest } = options;
  const type = z.union([bounded(z.int(), rest), z.literal('auto')]).default(value);
  const expectation = `an integer${range(rest)}, or auto`;
  return type.register(fieldInfo, { kind: 'integer', help, expectation, ...extras(rest) });
}

/** An integer that may be absent: null, written `none` or `all`. */
export function optionalInteger(
  help: string,
  options: Bounds & Extras & { readonly default: number | null },
) {
  const { default: value, ...rest } = options;
  const type = bounded(z.int(), rest).nullable().default(value);
  const expectation = `an integer${range(rest)}, or none`;
  return type.register(fieldInfo, { kind: 'integer', help, expectation, nullable: true, ...extras(rest) });
}

export function number(help: string, options: Bounds & Extras & { readonly default: number }) {
  const { default: value, ...rest } = options;
  const type = bounded(z.number(), rest).default(value);
  return type.register(fieldInfo, {
    kind: 'number',
    help,
    expectation: `a number${range(rest)}`,
    ...extras(rest),
  });
}

/** A number that may be absent: null, written `none` or `all`. */
export function optionalNumber(help: string, options: Bounds & Extras & { readonly default: number | null }) {
  const { default: value, ...rest } = options;
  const type = bounded(z.number(), rest).nullable().default(value);
  const expectation = `a number${range(rest)}, or none`;
  return type.register(fieldInfo, { kind: 'number', help, expectation, nullable: true, ...extras(rest) });
}

export function text(
  help: string,
  options: Extras & { readonly default: string; readonly pattern?: RegExp; readonly expectation?: string },
) {
  const { default: value, pattern = /\S/, expectation = 'a non-empty text', ...rest } = options;
  return z
    .string()
    .regex(pattern)
    .default(value)
    .register(fieldInfo, { kind: 'text', help, expectation, ...rest });
}

/** A text that may be absent: null, written `none`. */
export function optionalText(help: string, options: Extras = {}) {
  const type = z.string().regex(/\S/).nullable().default(null);
  const expectation = 'a non-empty text, or none';
  return type.register(fieldInfo, { kind: 'text', help, expectation, nullable: true, ...options });
}

export function choice<const T extends readonly [string, ...string[]]>(
  help: string,
  choices: T,
  options: Extras & { readonly default: T[number] },
) {
  const { default: value, ...rest } = options;
  const expectation = choices.length === 1 ? `${choices[0]}` : `one of ${choices.join(', ')}`;
  const type = z.enum(choices as readonly string[] as [T[number], ...T[number][]]).default(value as never);
  return type.register(fieldInfo, { kind: 'choice', help, expectation, choices, ...rest });
}

/** Off unless named; with `default: true` on unless `--no-NAME` is. */
export function toggle(help: string, options: Extras & { readonly default?: boolean } = {}) {
  const { default: value = false, ...rest } = options;
  const type = z.boolean().default(value);
  return type.register(fieldInfo, { kind: 'toggle', help, expectation: 'true or false', ...rest });
}

/** A list of texts; its flag is given once per item. */
export function list(help: string, options: Extras = {}) {
  const type = z.array(z.string().regex(/\S/)).default([]);
  return type.register(fieldInfo, {
    kind: 'list',
    help,
    expectation: 'a list of non-empty texts',
    ...options,
  });
}

/** A named set of fields; unknown keys are refused. */
export function group<S extends z.ZodRawShape>(help: string, shape: S) {
  const type = z.strictObject(shape).register(groupInfo, { help });
  return type.prefault({} as never);
}

function bounded<T extends z.ZodNumber>(type: T, { min, max, above }: Bounds): T {
  let result = type;
  if (min !== undefined) result = result.min(min) as T;
  if (above !== undefined) result = result.gt(above) as T;
  if (max !== undefined) result = result.max(max) as T;
  return result;
}

function range({ min, max, above }: Bounds): string {
  if (min !== undefined && max !== undefined) return ` between ${min} and ${max}`;
  if (min !== undefined) return ` ≥ ${min}`;
  if (above !== undefined) return ` > ${above}${max === undefined ? '' : ` and ≤ ${max}`}`;
  return max === undefined ? '' : ` ≤ ${max}`;
}

function extras({ flag, aliases, operational }: Extras): Extras {
  return {
    ...(flag !== undefined && { flag }),
    ...(aliases !== undefined && { aliases }),
    ...(operational !== undefined && { operational }),
  };
}
