/**
 * JSON for run files. Numbers that JSON lacks are written as the strings "NaN", "Infinity" and "-Infinity":
 * a diverged loss must stay visible, and null would read as "not measured".
 */

/** A record of a run file: anything JSON can hold, and the non-finite numbers. */
export type JsonRecord = { readonly [key: string]: unknown };

export function stringifyRecord(record: JsonRecord | readonly unknown[], indent?: number): string {
  return JSON.stringify(record, (_key, value: unknown) => encode(value), indent);
}

/** The number in a value written by `stringifyRecord`; undefined when it is not one. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : undefined;
}

function encode(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return typeof value === 'bigint' ? Number(value) : value;
}
