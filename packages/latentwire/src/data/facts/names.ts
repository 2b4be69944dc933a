/**
 * Names of people and towns, composed of a beginning and an ending, so that a tokenizer spells them in pieces. Each
 * split owns its own combinations: every beginning and every ending occurs in both, no whole name does.
 */
import { random } from '@latentwire/torch';
import type { Split } from '../locate.js';

interface NameParts {
  readonly beginnings: readonly string[];
  readonly endings: readonly string[];
}

// Beginnings end in a consonant and endings of people start with a vowel, so a name has one reading and is easy to
// pronounce; town endings are the English ones.
const PEOPLE: NameParts = {
  beginnings: (
    'Alb Bel Bern Cal Dar Del Ed Fal Fen Gar Hal Hect Jar Jul Kel Kor Lav Lor Mab Mar Mel Nad Od Pal Per Quil Ros ' +
    'Sab Tam Val Wil Zan'
  ).split(' '),
  endings: (
    'ada ago ain amo anda aro eda ela emo eri eth ian ico iel ika ilo ina ino isa ito olan oma ona oric osa ovan ula ' +
    'umi una uro uth uvia'
  ).split(' '),
};

const TOWNS: NameParts = {
  beginnings: (
    'Ald Amber Ash Birch Black Bram Clay Cold Dun East Elm Fern Flint Grim Hart High Holm King Lang Long Mill Moor ' +
    'New North Oak Pen Red Sand South Stan Thorn Whit'
  ).split(' '),
  endings: (
    'beck bridge burgh by cliff combe dale field ford gate grove ham haven hill hurst ley lock mere mouth pool port ' +
    'ridge side stead ton vale ville ward well wick wood worth'
  ).split(' '),
};

const PARTS = { person: PEOPLE, town: TOWNS } as const;
export type EntityKind = keyof typeof PARTS;

/** One combination in five is held out for dev. */
const DEV_SHARE = 0.2;

/** The names of one kind that belong to one split, in a fixed mixed order. */
export class NamePool {
  readonly size: number;
  readonly #parts: NameParts;
  readonly #order: random.KeyedPermutation;
  readonly #first: number;

  constructor(
    readonly kind: EntityKind,
    readonly split: Split,
  ) {
    this.#parts = PARTS[kind];
    const all = this.#parts.beginnings.length * this.#parts.endings.length;
    const dev = Math.floor(all * DEV_SHARE);
    // The partition is part of the corpus, not of the user's seed: a model trained with any seed has seen no dev name.
    this.#order = random.epochOrder(all, new random.RandomRoot(0).stream(`facts/${kind}`), 0);
    this.#first = split === 'dev' ? 0 : dev;
    this.size = split === 'dev' ? dev : all - dev;
  }

  /** Name number `index`, 0 ≤ index < size. */
  at(index: number): string {
    const place = this.#order.at(this.#first + index);
    const { beginnings, endings } = this.#parts;
    return beginnings[Math.floor(place / endings.length)]! + endings[place % endings.length]!;
  }

  /** Number of the beginning of name `index`: two names with other beginnings are easy to tell apart. */
  beginningOf(index: number): number {
    return Math.floor(this.#order.at(this.#first + index) / this.#parts.endings.length);
  }
}

const pools = new Map<string, NamePool>();

/** The pool of a kind and split (made once). */
export function namePool(kind: EntityKind, split: Split): NamePool {
  const key = `${kind}/${split}`;
  let pool = pools.get(key);
  if (pool === undefined) {
    pool = new NamePool(kind, split);
    pools.set(key, pool);
  }
  return pool;
}
