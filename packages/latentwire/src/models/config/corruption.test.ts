/** Damaged config.json files: an error that names file and field, or a config of sane numbers. */
import { describe, expect, it } from 'vitest';
import { LatentWireError } from '../../errors.js';
import { byteFlips, truncations } from '../gguf/corruption.fixture.js';
import cases from './golden/cases.json' with { type: 'json' };
import { parseHuggingFaceConfig } from './huggingface-config.js';
import { parseJson } from './json-file.js';
import type { ModelConfig } from './model-config.js';
import { parameterCount } from './weights.js';

const base = cases['llama 3.1: grouped heads, rope_scaling llama3, eos list'];
const FILE = 'models/tiny/config.json';

function parse(value: unknown): ModelConfig {
  return parseHuggingFaceConfig(value, FILE);
}

function errorOf(action: () => unknown): LatentWireError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!(error instanceof LatentWireError)) throw error;
    expect(error.code).toBe('format');
    expect(error.message.startsWith(`${FILE}: `)).toBe(true);
    return error;
  }
}

const WRONG = {
  string: 'x',
  negative: -1,
  zero: 0,
  fraction: 1.5,
  huge: 1e300,
  array: [1, 'a'],
  object: {},
  boolean: true,
};
const NUMBERS = [
  'hidden_size',
  'intermediate_size',
  'num_hidden_layers',
  'num_attention_heads',
  'num_key_value_heads',
  'vocab_size',
  'max_position_embeddings',
] as const;

describe('a field of config.json', () => {
  it.each(NUMBERS.flatMap((field) => Object.keys(WRONG).map((kind) => [field, kind] as const)))(
    '%s of kind %s is refused by name',
    (field, kind) => {
      const error = errorOf(() => parse({ ...base, [field]: WRONG[kind as keyof typeof WRONG] }));
      expect(error?.message).toMatch(new RegExp(`field '${field}`));
    },
  );

  it.each([
    'hidden_size',
    'intermediate_size',
    'num_hidden_layers',
    'num_attention_heads',
    'vocab_size',
    'model_type',
  ])('%s must be there', (field) => {
    const { [field as 'hidden_size']: _, ...rest } = base;
    expect(errorOf(() => parse(rest))?.message).toMatch(
      new RegExp(`field '${field}': expected .*, got nothing`),
    );
  });

  it.each([
    ['model_type', 7],
    ['hidden_act', 7],
    ['rms_norm_eps', '1e-5'],
    ['rms_norm_eps', -1],
    ['rope_theta', 0],
    ['rope_theta', [1e4]],
    ['rope_scaling', 'linear'],
    ['rope_scaling', [8]],
    ['tie_word_embeddings', 'no'],
    ['attention_bias', 0],
    ['head_dim', 0],
    ['head_dim', 7],
    ['bos_token_id', -5],
    ['eos_token_id', [101, -1]],
    ['eos_token_id', {}],
    ['layer_types', ['full_attention', 'none']],
    ['text_config', []],
  ] as const)('%s = %j is refused by name', (field, value) => {
    expect(errorOf(() => parse({ ...base, [field]: value }))?.message).toMatch(new RegExp(`field '${field}`));
  });

  it.each([null, 7, 'text', [], true])('is looked for in vain in %j', (document) => {
    expect(errorOf(() => parse(document))?.message).toMatch(/expected (object|string)/);
  });
});

describe('damaged JSON', () => {
  const whole = Buffer.from(JSON.stringify(base, null, 1));

  it('cut short is refused (40 files)', () => {
    for (const { bytes } of truncations(whole, 40, 11)) {
      expect(errorOf(() => parse(parseJson(bytes.toString(), FILE)))?.message).toMatch(
        /expected JSON, got: /,
      );
    }
  });

  it('with one byte changed is refused or has sane numbers (200 files)', () => {
    for (const { bytes } of byteFlips(whole, 0, whole.length, 200, 12)) {
      let config: ModelConfig | undefined;
      const error = errorOf(() => {
        config = parse(parseJson(bytes.toString(), FILE));
      });
      if (error === undefined) {
        expect(Number.isSafeInteger(parameterCount(config!))).toBe(true);
        expect(config!.layerAttention).toHaveLength(config!.layers);
        expect(config!.heads % config!.kvHeads).toBe(0);
      }
    }
  });
});
