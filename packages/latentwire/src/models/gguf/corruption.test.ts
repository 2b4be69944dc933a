/**
 * Damaged GGUF files through the whole way to weights and tokenizer: each ends with an error that names the file, or
 * with exactly the weights of the undamaged file. (Damage inside a metadata value, like one letter of a token or a
 * digit of an epsilon, leaves a file that is valid by its own account: then the weights must still be right.)
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LatentWireError } from '../../errors.js';
import {
  locateWeights,
  type ModelConfig,
  parseHuggingFaceConfig,
  readGgufConfig,
  weightTable,
} from '../config/index.js';
import { ggufTokenizer } from '../tokenizer/index.js';
import { byteFlips, hugeNumbers, type Mutation, seededRandom, truncations } from './corruption.fixture.js';
import { readGguf } from './header.js';
import { readGgufTensor } from './tensor-data.js';
import { encodeGguf, type GgufTensorToWrite, typed } from './writer.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-damage-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'damaged.gguf');

const config: ModelConfig = parseHuggingFaceConfig(
  {
    model_type: 'llama',
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: 20,
    tie_word_embeddings: true,
  },
  'config.json',
);

function wholeFile(): Buffer {
  const draw = seededRandom(5);
  const tensors: Record<string, GgufTensorToWrite> = {};
  for (const { gguf, shape } of weightTable(config)) {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draw(1000) / 500 - 1);
    tensors[gguf] = { shape, type: shape.length === 1 ? 'F32' : 'Q8_0', data };
  }
  const pieces = ['<unk>', '<s>', '</s>', '\u2581', 'a', 'b', 'c', 'ab', 'abc', '\u2581a', 'bc', '<0x0A>'];
  const tokens = [...pieces, ...Array.from({ length: 8 }, (_, i) => `<extra_${i}>`)];
  return encodeGguf({
    metadata: {
      'general.architecture': typed('string', 'llama'),
      'llama.block_count': typed('uint32', 2),
      'llama.context_length': typed('uint32', 64),
      'llama.embedding_length': typed('uint32', 32),
      'llama.feed_forward_length': typed('uint32', 64),
      'llama.attention.head_count': typed('uint32', 4),
      'llama.attention.head_count_kv': typed('uint32', 2),
      'llama.rope.dimension_count': typed('uint32', 8),
      'llama.attention.layer_norm_rms_epsilon': typed('float32', 1e-5),
      'tokenizer.ggml.model': typed('string', 'llama'),
      'tokenizer.ggml.tokens': typed('string', tokens),
      'tokenizer.ggml.scores': typed(
        'float32',
        tokens.map((_, i) => -i),
      ),
      'tokenizer.ggml.token_type': typed(
        'int32',
        tokens.map((_, i) => [2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 6][i] ?? 3),
      ),
      'tokenizer.ggml.bos_token_id': typed('uint32', 1),
      'tokenizer.ggml.eos_token_id': typed('uint32', 2),
    },
    tensors,
  });
}

const whole = wholeFile();
const dataStart = Math.min(...[...open(whole).tensors.values()].map(({ offset }) => offset));
const expected = weightsOf(whole);

function open(bytes: Buffer): ReturnType<typeof readGguf> {
  fs.writeFileSync(file, bytes);
  return readGguf(file);
}

function weightsOf(bytes: Buffer): Map<string, Float32Array> {
  const gguf = open(bytes);
  const located = locateWeights(readGgufConfig(gguf), 'gguf', gguf.tensors.values(), file);
  return new Map(located.map(({ name, source }) => [name, readGgufTensor(gguf, source)]));
}

/** The error the file ends with, or undefined when its weights are those of the whole file. */
function outcome(bytes: Buffer): LatentWireError | undefined {
  try {
    const weights = weightsOf(bytes);
    ggufTokenizer(open(bytes));
    expect(weights).toEqual(expected);
    return undefined;
  } catch (error) {
    if (!(error instanceof LatentWireError)) throw error;
    expect(error.code).toBe('format');
    expect(error.message.startsWith(`${file}: `)).toBe(true);
    expect(error.message).toMatch(/expected .*got /s);
    return error;
  }
}

function failing(mutations: readonly Mutation[]): string[] {
  return mutations.filter(({ bytes }) => outcome(bytes) === undefined).map(({ name }) => name);
}

describe('a damaged GGUF model', () => {
  it('is the whole model when it is not damaged', () => {
    expect(outcome(whole)).toBeUndefined();
  });

  it('cut short anywhere is refused (60 files)', () => {
    expect(failing(truncations(whole, 60, 1))).toEqual([]);
  });

  it('with a byte changed in the header is refused or gives the same weights (300 files)', () => {
    const harmless = failing(byteFlips(whole, 0, dataStart, 300, 2));
    expect(harmless.length).toBeLessThan(150);
  });

  it('with a huge number in the header is refused or gives the same weights (120 files)', () => {
    const harmless = failing(hugeNumbers(whole, 0, dataStart, 120, 3));
    expect(harmless.length).toBeLessThan(30);
  });

  it('with a byte changed in the tensor table is refused (200 files)', () => {
    const tableStart = whole.indexOf('token_embd.weight') - 8;
    const harmless = failing(byteFlips(whole, tableStart, dataStart, 200, 4));
    // Nothing but the padding behind the table may hold other bytes.
    for (const name of harmless) expect(Number(/byte (\d+)/.exec(name)![1])).toBeGreaterThan(dataStart - 32);
  });

  it('with a byte changed in the weights has the same header (40 files)', () => {
    const { metadata, tensors } = open(whole);
    for (const { bytes } of byteFlips(whole, dataStart, whole.length, 40, 6)) {
      const damaged = open(bytes);
      expect(damaged.metadata.entries).toEqual(metadata.entries);
      expect(damaged.tensors).toEqual(tensors);
    }
  });

  it('made of noise is refused (40 files)', () => {
    const draw = seededRandom(8);
    const noise = Array.from({ length: 40 }, (_, i) => {
      const bytes = Buffer.from(Array.from({ length: 200 + draw(2000) }, () => draw(256)));
      if (i % 2 === 0) whole.copy(bytes, 0, 0, 24);
      return { name: `noise ${i}`, bytes };
    });
    expect(failing(noise)).toEqual([]);
  });
});
