/**
 * The adversarial strings of the tokenizer tests; the same generator as strings.py, so that digests made in
 * Python apply. Every string is a chain of 1..12 parts: an atom of atoms.json, a random character, a run of
 * white space, a number or a word of letters.
 */
import * as fs from 'node:fs';

const atoms = JSON.parse(fs.readFileSync(new URL('atoms.json', import.meta.url), 'utf8')) as string[];

const RANGES = [
  [0x00, 0x7f],
  [0x80, 0x24f],
  [0x250, 0x58f],
  [0x590, 0x8ff],
  [0x900, 0xdff],
  [0xe00, 0x1fff],
  [0x2000, 0x2bff],
  [0x2c00, 0x2fff],
  [0x3000, 0x33ff],
  [0x3400, 0x9fff],
  [0xa000, 0xd7ff],
  [0xe000, 0xffff],
  [0x10000, 0x1ffff],
  [0x20000, 0x3ffff],
  [0xe0000, 0x10ffff],
  [0x300, 0x36f],
  [0x1f300, 0x1faff],
  [0x41, 0x7a],
] as const;
const SPACES = [' ', ' ', '\t', '\n', '\r\n', '\u00a0', '\u3000', '\u2003'] as const;

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

export function adversarialStrings(count: number, seed = 20_260_701): string[] {
  const next = mulberry32(seed);
  const draw = (below: number) => next() % below;
  return Array.from({ length: count }, () => {
    let text = '';
    for (let parts = 1 + draw(12); parts > 0; parts--) {
      text += part(next, draw);
      if (draw(3) === 0) text += ' ';
    }
    return text;
  });
}

function part(next: () => number, draw: (below: number) => number): string {
  const kind = draw(10);
  if (kind < 6) return atoms[draw(atoms.length)]!;
  if (kind === 6) {
    const [low, high] = RANGES[draw(RANGES.length)]!;
    return String.fromCodePoint(low + draw(high - low + 1)).repeat(1 + draw(3));
  }
  if (kind === 7) return SPACES[draw(SPACES.length)]!.repeat(1 + draw(40));
  if (kind === 8) return String(next());
  return Array.from({ length: 1 + draw(8) }, () => String.fromCharCode(97 + draw(26))).join('');
}
