/**
 * Damaged tokenizer files: an error that names the file (and the field, where the damage has one), or a tokenizer
 * that works. Never a crash of the native library.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LatentWireError } from '../../errors.js';
import { byteFlips, hugeNumbers, type Mutation, truncations } from '../gguf/corruption.fixture.js';
import { loadTokenizer } from './load-tokenizer.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-damaged-tokenizer-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const BYTES = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).concat('\u0120', '\u010a');

interface TokenizerDocument {
  version: string;
  added_tokens: Record<string, unknown>[];
  normalizer: unknown;
  pre_tokenizer: unknown;
  post_processor: unknown;
  decoder: unknown;
  model: { type: string; vocab: Record<string, unknown>; merges: unknown; unk_token?: unknown };
}

/** A byte-level tokenizer of a hundred tokens. */
function document(): TokenizerDocument {
  const words = [...BYTES, 'he', 'll', 'hell', 'hello', '\u0120w'];
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    added_tokens: [
      {
        id: words.length,
        content: '<|end|>',
        special: true,
        normalized: false,
        lstrip: false,
        rstrip: false,
        single_word: false,
      },
    ],
    normalizer: { type: 'NFC' },
    pre_tokenizer: bytes,
    post_processor: bytes,
    decoder: bytes,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
      merges: [
        ['h', 'e'],
        ['l', 'l'],
        ['he', 'll'],
        ['hell', 'o'],
        ['\u0120', 'w'],
      ],
    },
  };
}

const CONFIG = { eos_token: '<|end|>', pad_token: { content: '<|end|>' } };

function write(name: string, files: Record<string, string | Buffer>): string {
  const target = path.join(folder, name);
  fs.mkdirSync(target, { recursive: true });
  for (const [file, content] of Object.entries(files)) fs.writeFileSync(path.join(target, file), content);
  return target;
}

/** The error loading ends with, or undefined when the tokenizer loads and works. */
async function outcome(source: string): Promise<LatentWireError | undefined> {
  try {
    const tokenizer = loadTokenizer(source);
    const [ids] = await tokenizer.encodeBatch(['hello world <|end|>']);
    await tokenizer.decode(ids!);
    return undefined;
  } catch (error) {
    if (!(error instanceof LatentWireError)) throw error;
    expect(error.code).toBe('format');
    expect(error.message.startsWith(folder)).toBe(true);
    return error;
  }
}

async function changed(
  change: (json: TokenizerDocument) => void,
  config: unknown = CONFIG,
): Promise<LatentWireError | undefined> {
  const json = document();
  change(json);
  return outcome(
    write('changed', {
      'tokenizer.json': JSON.stringify(json),
      'tokenizer_config.json': JSON.stringify(config),
    }),
  );
}

describe('tokenizer.json', () => {
  it('works when it is not damaged', async () => {
    expect(await changed(() => {})).toBeUndefined();
  });

  it.each<[string, (json: TokenizerDocument) => void, RegExp]>([
    [
      'no model',
      (json) => Reflect.deleteProperty(json, 'model'),
      /field 'model': expected object, got nothing/,
    ],
    [
      'model of another kind',
      (json) => {
        json.model.type = 'BPF';
      },
      /expected a valid tokenizer, got: /,
    ],
    [
      'no vocabulary',
      (json) => Reflect.deleteProperty(json.model, 'vocab'),
      /field 'vocab': expected an object of token ids/,
    ],
    [
      'vocabulary as a list',
      (json) => {
        json.model.vocab = [] as never;
      },
      /field 'vocab': expected an object/,
    ],
    [
      'id as text',
      (json) => {
        json.model.vocab.he = '96';
      },
      /field 'model\.vocab\."he"': expected an id in 0\.\.\d+, got "96"/,
    ],
    [
      'negative id',
      (json) => {
        json.model.vocab.he = -1;
      },
      /field 'model\.vocab\."he"'/,
    ],
    [
      'fractional id',
      (json) => {
        json.model.vocab.he = 1.5;
      },
      /field 'model\.vocab\."he"'/,
    ],
    [
      'huge id',
      (json) => {
        json.model.vocab.he = 2 ** 31;
      },
      /field 'model\.vocab\."he"'/,
    ],
    [
      'one id twice',
      (json) => {
        json.model.vocab.he = 3;
      },
      /expected an id of its own, got 3, which is '\$'/,
    ],
    [
      'merges as text',
      (json) => {
        json.model.merges = 'h e';
      },
      /field 'merges': expected array/,
    ],
    [
      'merge of one',
      (json) => {
        json.model.merges = [['h']];
      },
      /field 'model\.merges\.0': expected two tokens, got \["h"\]/,
    ],
    [
      'merge of numbers',
      (json) => {
        json.model.merges = [
          ['h', 'e'],
          [1, 2],
        ];
      },
      /field 'model\.merges\.1': expected two tokens/,
    ],
    [
      'merge outside the vocabulary',
      (json) => {
        json.model.merges = [
          ['h', 'e'],
          ['he', 'x'],
        ];
      },
      /field 'model\.merges\.1': expected tokens of the vocabulary, got 'hex'/,
    ],
    [
      'unknown token outside the vocabulary',
      (json) => {
        json.model.unk_token = '<unk>';
      },
      /field 'model\.unk_token'/,
    ],
    [
      'added token without a text',
      (json) => {
        json.added_tokens[0]!.content = '';
      },
      /field 'added_tokens\.0\.content'/,
    ],
    [
      'added token without an id',
      (json) => Reflect.deleteProperty(json.added_tokens[0]!, 'id'),
      /field 'added_tokens\.0\.id': expected number, got nothing/,
    ],
    [
      'added token with a far id',
      (json) => {
        json.added_tokens[0]!.id = 5000;
      },
      /added token '<\|end\|>': expected id 5000, got 101/,
    ],
    [
      'added tokens as an object',
      (json) => {
        json.added_tokens = {} as never;
      },
      /field 'added_tokens': expected array/,
    ],
    [
      'unknown pre-tokenizer',
      (json) => {
        json.pre_tokenizer = { type: 'ByteLevvel' };
      },
      /expected a valid tokenizer, got: /,
    ],
    [
      'pre-tokenizer as text',
      (json) => {
        json.pre_tokenizer = 'ByteLevel';
      },
      /field 'pre_tokenizer': expected object, got "ByteLevel"/,
    ],
    [
      'a regular expression that is none',
      (json) => {
        json.pre_tokenizer = { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated', invert: false };
      },
      /expected a valid tokenizer, got: /,
    ],
    [
      'decoder without a type',
      (json) => {
        json.decoder = {};
      },
      /field 'decoder\.type': expected string, got nothing/,
    ],
    [
      'post-processor with unknown tokens',
      (json) => {
        json.post_processor = {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<s>', type_id: 0 } }],
          pair: [],
          special_tokens: {},
        };
      },
      /field 'post_processor\.single\.0': expected a token of post_processor\.special_tokens, got '<s>'/,
    ],
    [
      'nested post-processor with unknown tokens',
      (json) => {
        const template = { type: 'TemplateProcessing', single: [], pair: [{ SpecialToken: { id: 'x' } }] };
        json.post_processor = { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] };
      },
      /field 'post_processor\.processors\.1\.pair\.0': expected a token of/,
    ],
    [
      'a second text in the template for one',
      (json) => {
        const single = [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }];
        json.post_processor = { type: 'TemplateProcessing', single, pair: [], special_tokens: {} };
      },
      /field 'post_processor\.single\.1': expected sequence A, got "B"/,
    ],
    [
      'a strip from the end',
      (json) => {
        json.decoder = { type: 'Sequence', decoders: [{ type: 'Strip', content: ' ', start: 0, stop: 1 }] };
      },
      /field 'decoder\.decoders\.0\.stop': expected 0/,
    ],
    [
      'a merge longer than any token',
      (json) => {
        json.model.merges = [['hello', 'hello']];
      },
      /field 'model\.merges\.0': expected tokens of the vocabulary, got \["hello","hello"\], longer than any/,
    ],
    [
      'a subword prefix',
      (json) => {
        Object.assign(json.model, { continuing_subword_prefix: '##########' });
      },
      /field 'model\.continuing_subword_prefix': expected none/,
    ],
  ])('with %s is refused by field', async (_, change, message) => {
    expect((await changed(change))?.message).toMatch(message);
  });

  it.each([
    [{ eos_token: 5 }, /tokenizer_config\.json: field 'eos_token'/],
    [
      { eos_token: '<|absent|>' },
      /tokenizer_config\.json: field 'eos_token': expected a token of the vocabulary, got '<\|absent\|>'/,
    ],
    [{ ...CONFIG, add_bos_token: 'yes' }, /tokenizer_config\.json: field 'add_bos_token': expected boolean/],
    [
      { ...CONFIG, added_tokens_decoder: { x: { content: 'a' } } },
      /tokenizer_config\.json: field 'added_tokens_decoder/,
    ],
    [{ ...CONFIG, added_tokens_decoder: { 900: { content: 'far' } } }, /added token 'far': expected id 900/],
    [[], /tokenizer_config\.json: field 'the document': expected object/],
  ])('with the config %j is refused by field', async (config, message) => {
    expect((await changed(() => {}, config))?.message).toMatch(message);
  });

  it('ignores truncation and padding of some training run', async () => {
    const json = {
      ...document(),
      truncation: { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 0 },
      padding: {
        strategy: { Fixed: 9 },
        direction: 'Right',
        pad_id: 0,
        pad_type_id: 0,
        pad_token: '!',
        pad_to_multiple_of: null,
      },
    };
    const tokenizer = loadTokenizer(write('truncating', { 'tokenizer.json': JSON.stringify(json) }));
    const [ids] = await tokenizer.encodeBatch(['hello hello hello']);
    expect(await tokenizer.decode(ids!)).toBe('hello hello hello');
  });

  it('cut short is refused (40 files)', async () => {
    for (const error of await each(truncations(whole(), 40, 21))) {
      expect(error?.message).toMatch(/tokenizer\.json: expected JSON, got: /);
    }
  });

  it('with a byte changed is refused or works (300 files)', async () => {
    const errors = await each(byteFlips(whole(), 0, whole().length, 300, 22));
    expect(errors.filter((error) => error !== undefined).length).toBeGreaterThan(150);
  });

  function whole(): Buffer {
    return Buffer.from(JSON.stringify(document()));
  }

  async function each(mutations: readonly Mutation[]): Promise<(LatentWireError | undefined)[]> {
    const errors: (LatentWireError | undefined)[] = [];
    for (const { bytes } of mutations)
      errors.push(await outcome(write('mutated', { 'tokenizer.json': bytes })));
    return errors;
  }
});

describe('a SentencePiece model', () => {
  const whole = fs.readFileSync(path.join(import.meta.dirname, 'golden', 'tiny-prefix.model'));

  async function outcomes(mutations: readonly Mutation[]): Promise<number> {
    let refused = 0;
    for (const { bytes } of mutations) {
      const source = write('spm', { 'tokenizer.model': bytes });
      if ((await outcome(source)) !== undefined) refused++;
    }
    return refused;
  }

  it('cut short is refused, or works where a whole piece ended (60 files)', async () => {
    expect(await outcomes(truncations(whole, 60, 31))).toBeGreaterThan(50);
  });

  it('with a byte changed is refused or works (250 files)', async () => {
    expect(await outcomes(byteFlips(whole, 0, whole.length, 250, 32))).toBeGreaterThan(40);
  });

  it('with huge lengths is refused or works (60 files)', async () => {
    expect(await outcomes(hugeNumbers(whole, 0, whole.length, 60, 33))).toBeGreaterThan(50);
  });

  it('of another type is refused with the way out', async () => {
    // trainer_spec.model_type (field 3) = 2 (BPE) stands in the file as 0x18 0x02.
    const at = whole.indexOf(Buffer.from([0x18, 0x02]), whole.length - 400);
    const unigram = Buffer.from(whole);
    unigram[at + 1] = 1;
    const error = await outcome(write('unigram', { 'tokenizer.model': unigram }));
    expect(error?.message).toMatch(/trainer_spec\.model_type: expected BPE, got unigram/);
    expect(error?.hint).toMatch(/tokenizer\.json/);
  });
});

it('a folder without a tokenizer says what it lacks', () => {
  expect(() => loadTokenizer(write('empty', {}))).toThrow(
    /empty: expected tokenizer\.json or tokenizer\.model, got neither/,
  );
  expect(() => loadTokenizer(path.join(folder, 'absent.json'))).toThrow(
    /absent\.json: expected a readable file, got ENOENT/,
  );
});
