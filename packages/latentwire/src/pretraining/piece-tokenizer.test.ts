import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { factsExample } from '../data/facts/index.js';
import { loadTokenizer, type Tokenizer } from '../models/index.js';
import { silentLogger } from '../telemetry/index.js';
import { modelDesign, modelDesignNames } from './model-designs.js';
import { writeTokenizerFiles } from './model-directory.js';
import { rememberPieces } from './piece-tokenizer.js';
import { corpusTexts, trainTokenizer } from './tokenizer-files.js';

const bare = { addSpecialTokens: false };

describe.each(modelDesignNames)('the remembering tokenizer of %s', (name) => {
  let folder: string;
  let library: Tokenizer;
  let remembering: Tokenizer;
  beforeAll(async () => {
    const design = modelDesign(name).tokenizer;
    folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-pieces-'));
    writeTokenizerFiles(folder, trainTokenizer(design, corpusTexts()), 512);
    library = await loadTokenizer(folder, { logger: silentLogger });
    remembering = rememberPieces(library, new RegExp(design.pattern, 'gu'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('gives the ids of the library, the first time and again', async () => {
    const texts = Array.from({ length: 50 }, (_, i) => factsExample('train', 3, i)).flatMap((example) => [
      ` ${example.context}`,
      `\nQuestion: ${example.qa[0]!.question}\nAnswer:`,
      '',
    ]);
    const expected = await library.encodeBatch(texts, bare);
    for (let i = 0; i < 2; i++) expect(await remembering.encodeBatch(texts, bare)).toEqual(expected);
    expect(await remembering.encodeBatch(texts)).toEqual(await library.encodeBatch(texts));
  });

  it('gives the ids of the library for any text', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 30 }), { maxLength: 5 }),
        async (texts) => {
          expect(await remembering.encodeBatch(texts, bare)).toEqual(await library.encodeBatch(texts, bare));
        },
      ),
      { numRuns: 50 },
    );
  });
});
