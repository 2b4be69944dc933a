/**
 * Collects what is wrong with a data file, each with its place, so that one error shows the first few
 * mistakes instead of one per attempt.
 */
import { LatentWireError } from '../errors.js';

const SHOWN = 5;

export class Problems {
  readonly #file: string;
  readonly #shown: string[] = [];
  #count = 0;

  constructor(file: string) {
    this.#file = file;
  }

  get count(): number {
    return this.#count;
  }

  /** Notes that at `place` (a path inside the file) `expected` was wanted and `got` was found. */
  add(place: string, expected: string, got: string): void {
    this.#count += 1;
    if (this.#shown.length < SHOWN) this.#shown.push(`${place}: expected ${expected}, got ${got}`);
  }

  /** Throws a `format` error naming file and places when anything was noted. */
  throwIfAny(hint: string): void {
    if (this.#count === 0) return;
    const more = this.#count - this.#shown.length;
    const list = this.#shown.map((line) => `\n  ${line}`).join('');
    const tail = more > 0 ? `\n  and ${more} more` : '';
    const noun = this.#count === 1 ? '1 problem' : `${this.#count} problems`;
    throw new LatentWireError(`${this.#file} has ${noun}:${list}${tail}`, { code: 'format', hint });
  }
}

/** How a wrong value is named in a message: its kind, and itself when short. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') {
    return value.length === 0
      ? 'an empty string'
      : JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  }
  return `${typeof value} ${String(value)}`;
}
