import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Tokenizer as JavaScriptTokenizer } from '@huggingface/tokenizers';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { sharedDataHint } from '../../data/shared-data.js';
import { typed, writeGguf } from '../gguf/index.js';
import { describeTokenizer } from './behaviour.fixture.js';
import { adversarialStrings } from './golden/adversarial-strings.js';
import { SharedTokenizers, smolLm2File, smolLm2Hint, squadTexts } from './golden/shared-tokenizers.js';
import golden from './golden/tokenizers.json' with { type: 'json' };
import { loadTokenizer } from './load-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';

// Half a minute of work on one core in all; much longer on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

const shared = new SharedTokenizers();
afterAll(() => shared.remove());

type GoldenName = keyof typeof golden.tokenizers;
const present = shared.folder('gpt2') !== undefined;
const smolLm2 = smolLm2File();
const strings = adversarialStrings(10_000);
const bare = { addSpecialTokens: false } as const;

/** Same digest as in golden/make_tokenizer_golden.py. */
function idDigest(rows: readonly Int32Array[]): string {
  const sha = createHash('sha256');
  for (const row of rows) {
    sha.update(new Uint8Array(Int32Array.of(row.length).buffer));
    sha.update(new Uint8Array(row.buffer, row.byteOffset, row.byteLength));
  }
  return sha.digest('hex');
}

function textDigest(texts: Iterable<string>): string {
  const sha = createHash('sha256');
  for (const text of texts) {
    const raw = Buffer.from(text);
    sha.update(new Uint8Array(Int32Array.of(raw.length).buffer)).update(raw);
  }
  return sha.digest('hex');
}

/** First 8 digits of the digests of 500 strings each: says where a mismatch is. */
function blocks(rows: readonly Int32Array[]): string {
  const starts = Array.from({ length: rows.length / 500 }, (_, i) => 500 * i);
  return starts.map((at) => idDigest(rows.slice(at, at + 500)).slice(0, 8)).join(' ');
}

const loaded = new Map<string, Tokenizer>();
function tokenizerOf(source: string): Tokenizer {
  const tokenizer = loaded.get(source) ?? loadTokenizer(source);
  loaded.set(source, tokenizer);
  return tokenizer;
}

it('draws the strings that the golden digests were made of', () => {
  expect(textDigest(strings)).toBe(golden.strings);
});

describe.skipIf(!present)('ids equal the reference on 10,000 strings and all of SQuAD dev', () => {
  const squad = squadTexts() ?? [];

  async function check(name: GoldenName, tokenizer: Tokenizer): Promise<void> {
    const expected = golden.tokenizers[name];
    const rows = await tokenizer.encodeBatch(strings, bare);
    expect(blocks(rows)).toBe(expected.blocks);
    expect(idDigest(rows)).toBe(expected.ids);
    if ('decoded' in expected) {
      expect(textDigest(await Promise.all(rows.map((row) => tokenizer.decode(row))))).toBe(expected.decoded);
    }
    if ('withSpecials' in expected) {
      expect(idDigest(await tokenizer.encodeBatch(strings.slice(0, 500)))).toBe(expected.withSpecials);
    }
    expect(squad).toHaveLength(golden.squadTexts);
    const squadRows = await tokenizer.encodeBatch(squad, bare);
    expect(idDigest(squadRows)).toBe(expected.squad);
    const decoded = await Promise.all(squadRows.map((row) => tokenizer.decode(row)));
    const lost = decoded.findIndex(
      (text, i) => text !== squad[i]!.normalize(name === 'qwen2.5' ? 'NFC' : undefined!),
    );
    expect(lost === -1 ? '' : `${squad[lost]} -> ${decoded[lost]}`).toBe('');
  }

  it.each(['llama-3.1', 'qwen2.5', 'gpt2', 'mistral-v3'] as const)('%s', async (name) => {
    await check(name, tokenizerOf(shared.folder(name)!));
  });

  it('mistral-v3 with the legacy space after special tokens', async () => {
    const folder = path.join(shared.root, 'mistral-legacy');
    fs.cpSync(shared.folder('mistral-v3')!, folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'tokenizer_config.json'), JSON.stringify({ legacy: true }));
    const rows = await loadTokenizer(folder).encodeBatch(strings, bare);
    expect(blocks(rows)).toBe(golden.tokenizers['mistral-v3-legacy'].blocks);
  });

  it.skipIf(smolLm2 === undefined)('SmolLM2 from its GGUF file', async () => {
    await check('smollm2', tokenizerOf(smolLm2!));
  });
});

describe.skipIf(!present)('a second implementation (@huggingface/tokenizers) gives the same ids', () => {
  it.each(['llama-3.1', 'qwen2.5', 'gpt2'])('%s', async (name) => {
    const folder = shared.folder(name)!;
    const json = JSON.parse(fs.readFileSync(path.join(folder, 'tokenizer.json'), 'utf8')) as object;
    const config = JSON.parse(fs.readFileSync(path.join(folder, 'tokenizer_config.json'), 'utf8')) as object;
    const other = new JavaScriptTokenizer(json, config);
    // For GPT-2 its split takes JavaScript's white space (U+FEFF but not U+0085) for that of Unicode.
    const some = strings.slice(0, 1500).filter((text) => name !== 'gpt2' || !/[\uFEFF\u0085]/.test(text));
    const rows = await tokenizerOf(folder).encodeBatch(some, bare);
    const differing = some.filter((text, i) => {
      const ids: number[] = other.encode(text, { add_special_tokens: false }).ids;
      return ids.length !== rows[i]!.length || ids.some((id, at) => id !== rows[i]![at]);
    });
    expect(differing).toEqual([]);
  });
});

describe.skipIf(!present)('the digest', () => {
  it('is the same at every load, and tells tokenizers apart', () => {
    const folder = shared.folder('gpt2')!;
    expect(loadTokenizer(folder).digest).toBe(tokenizerOf(folder).digest);
    expect(tokenizerOf(shared.folder('mistral-v3')!).digest).not.toBe(tokenizerOf(folder).digest);
  });

  it('changes with the special tokens', () => {
    const folder = path.join(shared.root, 'gpt2-other-eos');
    fs.cpSync(shared.folder('gpt2')!, folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'tokenizer_config.json'), JSON.stringify({ eos_token: '!' }));
    expect(loadTokenizer(folder).digest).not.toBe(tokenizerOf(shared.folder('gpt2')!).digest);
  });
});

interface Vocabulary {
  readonly model: { readonly vocab: Record<string, number>; readonly merges: (string | [string, string])[] };
  readonly added_tokens: { readonly id: number; readonly content: string; readonly special: boolean }[];
}

/** The metadata llama.cpp's converter would write for a byte-level tokenizer.json. */
function asGguf(folder: string, pre: string, bosId: number | null): string {
  const json = JSON.parse(fs.readFileSync(path.join(folder, 'tokenizer.json'), 'utf8')) as Vocabulary;
  const tokens: string[] = [];
  const kinds: number[] = [];
  for (const [token, id] of Object.entries(json.model.vocab)) {
    tokens[id] = token;
    kinds[id] = 1;
  }
  for (const { id, content, special } of json.added_tokens) {
    tokens[id] = content;
    kinds[id] = special ? 3 : 4;
  }
  const merges = json.model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')));
  const file = path.join(shared.root, `${pre}.gguf`);
  writeGguf(file, {
    metadata: {
      'general.architecture': typed('string', 'llama'),
      'tokenizer.ggml.model': typed('string', 'gpt2'),
      'tokenizer.ggml.pre': typed('string', pre),
      'tokenizer.ggml.tokens': typed('string', tokens),
      'tokenizer.ggml.token_type': typed('int32', kinds),
      'tokenizer.ggml.merges': typed('string', merges),
      'tokenizer.ggml.eos_token_id': typed('uint32', tokens.length - 1),
      ...(bosId === null ? {} : { 'tokenizer.ggml.bos_token_id': typed('uint32', bosId) }),
    },
  });
  return file;
}

describe.skipIf(!present)('a GGUF file gives the ids of the tokenizer.json it was made from', () => {
  it.each([
    ['llama-3.1', 'llama-bpe', 128_000],
    ['qwen2.5', 'qwen2', null],
    ['gpt2', 'gpt-2', null],
  ] as const)('%s as %s', async (name, pre, bosId) => {
    const folder = shared.folder(name)!;
    const gguf = loadTokenizer(asGguf(folder, pre, bosId));
    const rows = await gguf.encodeBatch(strings.slice(0, 3000), bare);
    expect(golden.tokenizers[name].blocks.startsWith(blocks(rows))).toBe(true);
    expect(idDigest(await gguf.encodeBatch(strings.slice(0, 500)))).toBe(
      golden.tokenizers[name].withSpecials,
    );
  });
});

if (present) {
  describeTokenizer('byte-level tokenizer.json', {
    load: () => tokenizerOf(shared.folder('gpt2')!),
    specialToken: '<|endoftext|>',
    addsBos: false,
  });
  describeTokenizer('tokenizer.json with a BOS', {
    load: () => tokenizerOf(shared.folder('llama-3.1')!),
    specialToken: '<|eot_id|>',
    addsBos: true,
  });
  describeTokenizer('SentencePiece model', {
    load: () => tokenizerOf(shared.folder('mistral-v3')!),
    specialToken: '[INST]',
    addsBos: true,
  });
} else {
  it.skip(sharedDataHint, () => {});
}
if (smolLm2 === undefined) {
  it.skip(smolLm2Hint, () => {});
} else {
  describeTokenizer('byte-level GGUF', {
    load: () => tokenizerOf(smolLm2),
    specialToken: '<|im_end|>',
    addsBos: false,
  });
}
