import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EntityKind, factsExample, namePool } from '../data/facts/index.js';
import { loadTokenizer, type Tokenizer } from '../models/index.js';
import { silentLogger } from '../telemetry/index.js';
import { PromptFormat } from '../wire/index.js';
import { BYTE_SYMBOLS, countPieces, toByteSymbols, trainBpe } from './bpe.js';
import { modelDesign, modelDesignNames } from './model-designs.js';
import { writeTokenizerFiles } from './model-directory.js';
import { corpusTexts, trainTokenizer } from './tokenizer-files.js';

const bare = { addSpecialTokens: false } as const;

describe('trainBpe', () => {
  it('merges the most frequent pair first, and the first in order among equals', () => {
    const pieces = new Map([
      ['abab', 3],
      ['cd', 6],
      ['ab', 1],
    ]);
    // ab occurs 7 times, cd 6, then abab 3.
    expect(trainBpe(pieces, 10)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['ab', 'ab'],
    ]);
    expect(
      trainBpe(
        new Map([
          ['xy', 2],
          ['uv', 2],
        ]),
        1,
      ),
    ).toEqual([['u', 'v']]);
  });

  it('counts overlapping pairs of one symbol as they can be merged', () => {
    expect(trainBpe(new Map([['aaa', 5]]), 5)).toEqual([
      ['a', 'a'],
      ['aa', 'a'],
    ]);
  });

  it('learns nothing from pairs that occur once', () => {
    expect(trainBpe(new Map([['abc', 1]]), 5)).toEqual([]);
  });

  it('writes each byte as its own printable symbol', () => {
    expect(new Set(BYTE_SYMBOLS).size).toBe(256);
    expect(BYTE_SYMBOLS[0x20]).toBe('Ġ');
    expect(BYTE_SYMBOLS[0x0a]).toBe('Ċ');
    expect(toByteSymbols('é a')).toEqual(['Ã', '©', 'Ġ', 'a']);
  });
});

describe.each(modelDesignNames)('the tokenizer of %s', (name) => {
  const design = modelDesign(name);
  const format = new PromptFormat({ renderChat: null, stopIds: [], bosId: null });
  let folder: string;
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-tokenizer-'));
    writeTokenizerFiles(folder, trainTokenizer(design.tokenizer, corpusTexts('prose')), 512);
    tokenizer = await loadTokenizer(folder, { logger: silentLogger });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('has as many tokens as the model has rows, and the special tokens where the model expects them', () => {
    expect(tokenizer.vocabSize).toBe(design.config.vocabSize);
    expect(tokenizer.special.bosId).toBe(design.config.bosId);
    expect(tokenizer.special.eosIds).toEqual(design.config.eosIds);
  });

  it('cuts text into pieces that join to the text', () => {
    const pattern = new RegExp(design.tokenizer.pattern, 'gu');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        expect([...countPieces([text], pattern).keys()].join('').length).toBeLessThanOrEqual(text.length);
        expect([...text.matchAll(pattern)].join('')).toBe(text);
      }),
    );
  });

  it('gives any text back', async () => {
    const texts = fc.sample(fc.string({ unit: 'grapheme', maxLength: 60 }), 300);
    const ids = await tokenizer.encodeBatch(texts, bare);
    for (const [i, text] of texts.entries()) expect(await tokenizer.decode(ids[i]!)).toBe(text);
  });

  it('spells the names of people and towns in several tokens', async () => {
    for (const kind of ['person', 'town'] satisfies EntityKind[]) {
      const names = (['train', 'dev'] as const).flatMap((split) => {
        const pool = namePool(kind, split);
        return Array.from({ length: pool.size }, (_, i) => ` ${pool.at(i)}`);
      });
      const ids = await tokenizer.encodeBatch(names, bare);
      expect(Math.min(...ids.map((row) => row.length))).toBeGreaterThanOrEqual(2);
      expect(Math.max(...ids.map((row) => row.length))).toBeLessThanOrEqual(7);
    }
  });

  it('gives a prompt the tokens of its parts, so that latents can stand for one of them', async () => {
    for (let i = 0; i < 20; i++) {
      const { context, qa } = factsExample('dev', 9, i);
      const { head, tail } = format.promptText(qa[0]!.question);
      const parts = [head, format.contextText(context), tail, format.answerText(qa[0]!.answer)];
      const [whole, ...pieces] = await tokenizer.encodeBatch([parts.join(''), ...parts], bare);
      expect(pieces.flatMap((ids) => [...ids])).toEqual([...whole!]);
    }
  });
});

it('the two tokenizers cut the same context into different numbers of tokens', async () => {
  const texts = Array.from({ length: 50 }, (_, i) => factsExample('dev', 9, i).context);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-tokenizer-'));
  const counts: number[][] = [];
  for (const name of modelDesignNames) {
    writeTokenizerFiles(folder, trainTokenizer(modelDesign(name).tokenizer, corpusTexts('prose')), 512);
    const tokenizer = await loadTokenizer(folder, { logger: silentLogger });
    counts.push((await tokenizer.encodeBatch(texts, bare)).map((ids) => ids.length));
  }
  rmSync(folder, { recursive: true });
  const [llama, qwen] = counts;
  expect(llama!.filter((count, i) => count !== qwen![i]).length).toBeGreaterThan(40);
});
