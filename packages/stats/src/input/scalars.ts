/** Checks of scalar arguments: probabilities, counts, choices. Messages follow the array checks. */
import { StatsError } from '../errors.js';
import { describe } from './arrays.js';

/** A number strictly between 0 and 1 (confidence levels, alpha, power targets). */
export function openUnit(value: number, argument: string): number {
  if (!(typeof value === 'number' && value > 0 && value < 1)) {
    throw new StatsError(`expected a number strictly between 0 and 1, got ${describe(value)}`, { argument });
  }
  return value;
}

/** A number from 0 to 1, both included (p-values, proportions). */
export function closedUnit(value: number, argument: string, index?: number): number {
  if (!(typeof value === 'number' && value >= 0 && value <= 1)) {
    throw new StatsError(`expected a number from 0 to 1, got ${describe(value)}`, {
      argument,
      ...(index === undefined ? {} : { index }),
    });
  }
  return value;
}

/** A safe integer of at least `minimum`. */
export function integerAtLeast(value: number, minimum: number, argument: string): number {
  if (!(Number.isSafeInteger(value) && value >= minimum)) {
    throw new StatsError(`expected an integer of at least ${minimum}, got ${describe(value)}`, { argument });
  }
  return value;
}

export function finiteNumber(value: number, argument: string): number {
  if (!(typeof value === 'number' && Number.isFinite(value))) {
    throw new StatsError(`expected a finite number, got ${describe(value)}`, { argument });
  }
  return value;
}

export function positiveNumber(value: number, argument: string): number {
  if (!(typeof value === 'number' && value > 0 && Number.isFinite(value))) {
    throw new StatsError(`expected a positive number, got ${describe(value)}`, { argument });
  }
  return value;
}

/** One of a fixed set of names. */
export function oneOf<T extends string>(value: T, allowed: readonly T[], argument: string): T {
  if (!allowed.includes(value)) {
    const names = allowed.map((name) => `'${name}'`).join(', ');
    throw new StatsError(`expected one of ${names}, got ${describe(value)}`, { argument });
  }
  return value;
}
