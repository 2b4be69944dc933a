/** The people of one context: who they are and what is true of them, before any of it becomes a sentence. */
import type { random } from '@latentwire/torch';
import type { Split } from '../locate.js';
import { type EntityKind, namePool } from './names.js';
import {
  COLOURS,
  type Colour,
  JOBS,
  type Job,
  OBJECTS,
  RELATIONS,
  type Relation,
  type Thing,
  YEARS,
} from './vocabulary.js';

/** What can be known of a person. Within a context no two people share a value, so every fact identifies one. */
export interface Person {
  readonly name: string;
  readonly home: string;
  readonly job: Job;
  readonly thing: Thing;
  readonly colour: Colour;
  readonly born: number;
  readonly relation: Relation;
  readonly relative: string;
}

/** A kind of fact about a person. */
export type Topic = 'home' | 'job' | 'belonging' | 'born' | 'relative';
export const TOPICS: readonly Topic[] = ['home', 'job', 'belonging', 'born', 'relative'];

/** `count` different people; names of one context differ in their beginnings. */
export function drawPeople(split: Split, count: number, draw: random.RandomCursor): Person[] {
  const names = drawNames('person', split, 2 * count, draw);
  const homes = drawNames('town', split, count, draw);
  const jobs = drawDistinct(JOBS, count, draw);
  const things = drawDistinct(OBJECTS, count, draw);
  const colours = drawDistinct(COLOURS, count, draw);
  const years = drawDistinctIntegers(YEARS.last - YEARS.first + 1, count, draw);
  const relations = drawDistinct(RELATIONS, count, draw);
  return Array.from({ length: count }, (_, i) => ({
    name: names[i]!,
    home: homes[i]!,
    job: jobs[i]!,
    thing: things[i]!,
    colour: colours[i]!,
    born: YEARS.first + years[i]!,
    relation: relations[i]!,
    relative: names[count + i]!,
  }));
}

function drawNames(kind: EntityKind, split: Split, count: number, draw: random.RandomCursor): string[] {
  const pool = namePool(kind, split);
  const used = new Set<number>();
  const names: string[] = [];
  while (names.length < count) {
    const index = draw.nextInteger(pool.size);
    const beginning = pool.beginningOf(index);
    if (used.has(beginning)) continue;
    used.add(beginning);
    names.push(pool.at(index));
  }
  return names;
}

/** `count` different items in random order. */
export function drawDistinct<T>(items: readonly T[], count: number, draw: random.RandomCursor): T[] {
  return drawDistinctIntegers(items.length, count, draw).map((index) => items[index]!);
}

/** `count` different integers below `bound` in random order (a partial Fisher–Yates shuffle, stored sparsely). */
function drawDistinctIntegers(bound: number, count: number, draw: random.RandomCursor): number[] {
  const moved = new Map<number, number>();
  return Array.from({ length: count }, (_, i) => {
    const j = i + draw.nextInteger(bound - i);
    const chosen = moved.get(j) ?? j;
    moved.set(j, moved.get(i) ?? i);
    return chosen;
  });
}
