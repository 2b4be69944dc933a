/** The generator below repeats golden/make_scoring.py draw for draw; the digests come from Python. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadSquad, sharedDataFile, sharedDataHint } from '../../data/index.js';
import { normalizeAnswer, readPredictions, scoreAnswer, scoreSquad } from './index.js';

interface Golden {
  strings: string[];
  assigned: string;
  sweep: string[];
  pairs: string[];
  evaluate_v2: Record<
    'overall' | 'answerable' | 'unanswerable',
    { exactMatch: number; f1: number; total: number }
  >;
}
const golden = JSON.parse(readFileSync(new URL('./golden/scoring.json', import.meta.url), 'utf8')) as Golden;

const split = (text: string) => text.split('|');
const WORDS = split('a|an|the|A|AN|The|tHe|Paris|of|the|river|1852|a1|ban|then');
const PUNCTUATION = [...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'];
const SPACES = split(
  ' |\t|\n|\r|\v|\f|\x1c|\x1d|\x1e|\x1f|\x85|\xa0|\u1680|\u2003|\u2028|\u2029|\u202f|\u205f|\u3000|\ufeff|\u200b|\u180e|\u2060',
);
const CASES = split("Σ|ΟΔΟΣ|ΟΔΟΣ |Α'Σ|ΣΑ|Σ\u0301|İ|İstanbul|ẞ|ǅ|\u212a|\u212b|ﬁ|ſ|\u0390|𐐀|Ⓐ|\u0345Σ|ʰΣ|1Σ");
const NUMBERS = split('٣|²|½|Ⅷ|㊿|一|〇|𝟙|߁|௧');
const MARKS = split('\u0301|\u0345|\u05b0|\u093f|\u20e3|\u200d|\ufe0f|_|·|’|“|—|。');
const EMOJI = split('🚋|👩\u200d🚀|🇵🇱|❤\ufe0f');
const RANGES: [number, number][] = [
  [0x00a1, 0x024f],
  [0x0370, 0x0377],
  [0x0386, 0x03ff],
  [0x0400, 0x052f],
  [0x05d0, 0x05ea],
  [0x0620, 0x06ff],
  [0x0905, 0x0939],
  [0x0e01, 0x0e3a],
  [0x10a0, 0x10c5],
  [0x13a0, 0x13f5],
  [0x1e00, 0x1f15],
  [0x2010, 0x2027],
  [0x2150, 0x218b],
  [0x3041, 0x3096],
  [0x4e00, 0x9fa5],
  [0xac00, 0xd7a3],
  [0xff01, 0xff5e],
  [0x10400, 0x1044f],
];

/** xorshift32 (Marsaglia 2003). */
class Random32 {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(n: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state % n;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

function randomString(rng: Random32): string {
  let text = '';
  const parts = 1 + rng.below(14);
  for (let part = 0; part < parts; part++) {
    const kind = rng.below(12);
    if (kind < 4) text += rng.pick(WORDS);
    else if (kind === 4) text += rng.pick(PUNCTUATION);
    else if (kind === 5) text += rng.pick(SPACES);
    else if (kind === 6) text += rng.pick(CASES);
    else if (kind === 7) text += rng.pick(NUMBERS);
    else if (kind === 8) text += rng.pick(MARKS);
    else if (kind === 9) text += rng.pick(EMOJI);
    else {
      const [low, high] = rng.pick(RANGES);
      text += String.fromCodePoint(low + rng.below(high - low + 1));
    }
    if (rng.below(2) === 1) text += ' ';
  }
  return text;
}

/** One short digest per block of `size` items. */
function digests(items: readonly (string | Uint8Array)[], size: number): string[] {
  const out: string[] = [];
  for (let start = 0; start < items.length; start += size) {
    const hash = createHash('sha256');
    for (const item of items.slice(start, start + size)) hash.update(item);
    out.push(hash.digest('hex').slice(0, 12));
  }
  return out;
}

describe('answer normalisation', () => {
  it('equals Python’s on 6,000 random Unicode strings', () => {
    const rng = new Random32(20_251);
    const lines = Array.from({ length: 6_000 }, () => `${normalizeAnswer(randomString(rng))}\n`);
    expect(digests(lines, 100)).toEqual(golden.strings);
  });

  it('equals Python’s around every assigned code point', () => {
    const numbers = golden.assigned.split(' ').map((hex) => Number.parseInt(hex, 16));
    const lines: string[] = [];
    let code = 0;
    for (let i = 0; i < numbers.length; i += 2) {
      code += numbers[i]!;
      for (const last = code + numbers[i + 1]!; code <= last; code++) {
        const c = String.fromCodePoint(code);
        lines.push(`${normalizeAnswer(`a${c}the an${c}B${c} ${c}a`)}\n`);
      }
      code -= 1;
    }
    expect(lines.length).toBeGreaterThan(140_000);
    expect(digests(lines, 4096)).toEqual(golden.sweep);
  });

  it('is idempotent on its own results', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = normalizeAnswer(text);
        expect(normalizeAnswer(once)).toBe(once);
        expect(once).not.toMatch(/^ | {2}| $/);
      }),
    );
  });

  it('treats the known traps as Python does', () => {
    expect(normalizeAnswer('The  “Red” fox, an animal')).toBe('“red” fox animal');
    expect(normalizeAnswer('naïve a\u0301cute the_end')).toBe('naïve \u0301cute theend');
    expect(normalizeAnswer('étheé a b')).toBe('étheé b');
    expect(normalizeAnswer('x\x1cy\x85z\ufeffw')).toBe('x y z\ufeffw');
    expect(normalizeAnswer('ΟΔΟΣ İ')).toBe('οδος i\u0307');
  });
});

describe('scores', () => {
  it('equal Python’s bit for bit on 3,000 random pairs, by v1.1 and v2.0 rules', () => {
    const rng = new Random32(7);
    const packed = Array.from({ length: 3_000 }, () => {
      const prediction = randomString(rng);
      let gold = randomString(rng);
      if (rng.below(3) === 0) gold = `${prediction} ${gold}`;
      const first = scoreAnswer(prediction, [gold], '1.1');
      const bytes = Buffer.alloc(17);
      bytes.writeUInt8(first.exactMatch, 0);
      bytes.writeDoubleLE(first.f1, 1);
      bytes.writeDoubleLE(scoreAnswer(prediction, [gold], '2.0').f1, 9);
      return bytes;
    });
    expect(digests(packed, 100)).toEqual(golden.pairs);
  });

  it('give the v2.0 totals with unanswerable questions', () => {
    const rng = new Random32(99);
    const predictions = new Map<string, string>();
    const examples = Array.from({ length: 500 }, (_, index) => {
      const answers = Array.from({ length: rng.below(4) }, () => randomString(rng));
      const kind = rng.below(3);
      let prediction = kind === 0 ? '' : randomString(rng);
      if (kind === 2 && answers.length > 0) prediction = `${answers[answers.length - 1]} ${rng.pick(WORDS)}`;
      predictions.set(`${index}`, prediction);
      return { id: `${index}`, answers };
    });
    const score = scoreSquad(examples, predictions, '2.0');
    expect(score).toMatchObject(golden.evaluate_v2.overall);
    expect(score.answerable).toEqual(golden.evaluate_v2.answerable);
    expect(score.unanswerable).toEqual(golden.evaluate_v2.unanswerable);
  });

  it('take the best gold for exact match and for F1 separately', () => {
    const score = scoreAnswer('the Denver Broncos', ['Denver', 'Denver Broncos', 'Broncos of Denver city']);
    expect(score).toEqual({ exactMatch: 1, f1: 1 });
    expect(scoreAnswer('Denver', ['Denver Broncos', 'Broncos']).f1).toBeCloseTo(2 / 3, 15);
  });

  it('keep v1.1’s rule for answers without words: exact match without F1', () => {
    expect(scoreAnswer('The!', ['a'])).toEqual({ exactMatch: 1, f1: 0 });
    expect(scoreAnswer('The!', ['a'], '2.0')).toEqual({ exactMatch: 1, f1: 1 });
  });

  it('count a missing prediction as 0 in the total and name it', () => {
    const examples = [
      { id: 'x', answers: ['one'] },
      { id: 'y', answers: ['two'] },
    ];
    const score = scoreSquad(examples, new Map([['x', 'one']]));
    expect(score).toMatchObject({ exactMatch: 50, f1: 50, total: 2, missing: ['y'] });
    expect(() => scoreSquad([], new Map())).toThrow('at least one question');
  });

  it('never leave [0, 1] and never rank a copy of a gold below 1 (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), fc.string(), (golds, prediction) => {
        const { f1, exactMatch } = scoreAnswer(prediction, golds, '2.0');
        expect(f1 >= 0 && f1 <= 1).toBe(true);
        expect(exactMatch <= f1).toBe(true);
        expect(scoreAnswer(golds[0]!, golds, '1.1').exactMatch).toBe(1);
      }),
    );
  });
});

describe('prediction files', () => {
  it('are refused with the id that is wrong', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-predictions-'));
    const write = (text: string) => {
      writeFileSync(path.join(folder, 'p.json'), text);
      return () => readPredictions(path.join(folder, 'p.json'));
    };
    expect(write('{"q1": null}')).toThrow('expected the answer of "q1" in');
    expect(write('["x"]')).toThrow('expected an object {id: answer}');
    expect(write('{"q1"')).toThrow('is not valid JSON');
    expect(write('{"q1": "x", "__proto__": "y"}')().get('__proto__')).toBe('y');
    rmSync(folder, { recursive: true });
  });
});

describe('the published Match-LSTM predictions', () => {
  const dataset = sharedDataFile('squad/dev-v1.1.json.gz');
  const predictions = sharedDataFile('squad/predictions-match-lstm-dev-v1.1.json.gz');
  const absent = dataset === undefined || predictions === undefined;
  it.skipIf(absent)(`score what the official script gives (${sharedDataHint})`, async () => {
    const { examples } = await loadSquad(dataset!);
    const score = scoreSquad(examples, readPredictions(predictions!));
    expect(Math.abs(score.exactMatch - 67.63481551561021)).toBeLessThan(1e-9);
    expect(Math.abs(score.f1 - 76.75556184979695)).toBeLessThan(1e-9);
    expect(score.total).toBe(10_570);
    expect(score.missing).toEqual([]);
  });
});
