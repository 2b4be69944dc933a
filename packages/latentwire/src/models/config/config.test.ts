import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sharedDataFile, sharedDataHint } from '../../data/shared-data.js';
import type { LatentWireError } from '../../errors.js';
import { type GgufToWrite, readGguf, type TypedValue, typed, writeGguf } from '../gguf/index.js';
import { readGgufConfig } from './gguf-config.js';
import { undoGgufTransform } from './gguf-transform.js';
import cases from './golden/cases.json' with { type: 'json' };
import golden from './golden/config.json' with { type: 'json' };
import { parseHuggingFaceConfig, readHuggingFaceConfig } from './huggingface-config.js';
import type { ModelConfig, Rope } from './model-config.js';
import { locateWeights, parameterCount, weightTable } from './weights.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'latentwire-config-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

type CaseName = keyof typeof cases;
const caseNames = Object.keys(cases) as CaseName[];

/** Our rope in the spelling of transformers' `rope_parameters`. */
function ropeParameters({ theta, scaling }: Rope): Record<string, unknown> {
  if (scaling.kind === 'none') return { rope_type: 'default', rope_theta: theta };
  if (scaling.kind === 'linear') return { rope_type: 'linear', rope_theta: theta, factor: scaling.factor };
  return {
    rope_type: 'llama3',
    rope_theta: theta,
    factor: scaling.factor,
    low_freq_factor: scaling.lowFreqFactor,
    high_freq_factor: scaling.highFreqFactor,
    original_max_position_embeddings: scaling.originalMaxPositions,
  };
}

function parse(fields: unknown): ModelConfig {
  return parseHuggingFaceConfig(fields, 'config.json');
}

function errorOf(action: () => unknown): LatentWireError {
  try {
    action();
  } catch (error) {
    return error as LatentWireError;
  }
  throw new Error('expected an error');
}

describe('config.json', () => {
  it.each(caseNames)('normalises as transformers does: %s', (name) => {
    const config = parse(cases[name]);
    const expected = golden.cases[name];
    expect(config.headDim).toBe(expected.head_dim);
    expect(config.heads).toBe(expected.num_attention_heads);
    expect(config.kvHeads).toBe(expected.num_key_value_heads);
    expect(config.vocabSize).toBe(expected.vocab_size);
    expect(config.rmsNormEps).toBe(expected.rms_norm_eps);
    expect(config.maxPositions).toBe(expected.max_position_embeddings);
    expect(config.tiedEmbeddings).toBe(expected.tie_word_embeddings);
    expect(config.bosId).toBe(expected.bos_token_id);
    expect(config.eosIds).toEqual([expected.eos_token_id ?? []].flat());
    expect(config.attentionScale).toBe((expected.query_pre_attn_scalar ?? config.headDim) ** -0.5);

    const types = expected.layer_types?.map((type) => type.replace('_attention', ''));
    const whole = expected.sliding_window === null ? 'full' : 'sliding';
    expect(config.layerAttention).toEqual(types ?? Array(config.layers).fill(whole));
    expect(config.slidingWindow).toBe(expected.sliding_window);

    const { type: _, ...rope } = { type: '', ...expected.rope_parameters } as Record<string, unknown>;
    const local = config.localRope;
    const ours = local === null ? ropeParameters(config.rope) : undefined;
    expect(
      ours ?? { full_attention: ropeParameters(config.rope), sliding_attention: ropeParameters(local!) },
    ).toEqual(rope);
  });

  it.each(caseNames)('lists the weights of the PyTorch model, with their GGUF names: %s', (name) => {
    const config = parse(cases[name]);
    const expected = golden.cases[name];
    const table = weightTable(config).map((weight) => [weight.huggingFace, weight.gguf, weight.shape]);
    const byName = (a: unknown[], b: unknown[]) => String(a[0]).localeCompare(String(b[0]));
    expect(table.sort(byName)).toEqual([...expected.weights].sort(byName));
    expect(parameterCount(config)).toBe(expected.parameters);
  });

  const hasSharedConfigs = sharedDataFile('configs/llama-3.1-8b.json') !== undefined;
  it.skipIf(!hasSharedConfigs).each([
    ['llama-3.1-8b', 8_030_261_248],
    ['llama-3.2-1b', 1_235_814_400],
    ['llama-3.2-3b', 3_212_749_824],
    ['qwen2.5-0.5b', 494_032_768],
    ['qwen2.5-7b', 7_615_616_512],
    ['mistral-7b-v0.3', 7_248_023_552],
    ['smollm2-135m', 134_515_008],
    ['stories260k', 260_032],
  ])('counts the published number of parameters of %s', (model, published) => {
    const file = sharedDataFile(`configs/${model}.json`);
    expect(parameterCount(parse(JSON.parse(fs.readFileSync(file!, 'utf8'))))).toBe(published);
  });
  it.runIf(!hasSharedConfigs)(sharedDataHint, () => {});

  it('takes the ids of generation_config.json when there is one', () => {
    const base = cases['llama: defaults for head size, key heads, eps, tying'];
    fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify(base));
    expect(readHuggingFaceConfig(folder)).toMatchObject({ eosIds: [2], bosId: 1 });
    const generation = path.join(folder, 'generation_config.json');
    fs.writeFileSync(generation, JSON.stringify({ eos_token_id: [7, 9], do_sample: true }));
    expect(readHuggingFaceConfig(folder)).toMatchObject({ eosIds: [7, 9], bosId: 1 });
    fs.writeFileSync(generation, JSON.stringify({ eos_token_id: 'end' }));
    expect(() => readHuggingFaceConfig(folder)).toThrow(/generation_config\.json: field 'eos_token_id'/);
  });

  const llama = cases['llama: defaults for head size, key heads, eps, tying'];
  it.each([
    [{ hidden_size: undefined }, /'hidden_size': expected number, got nothing/],
    [{ hidden_size: '64' }, /'hidden_size': expected number, got "64"/],
    [{ num_hidden_layers: 0 }, /'num_hidden_layers'/],
    [{ vocab_size: 1e18 }, /'vocab_size'/],
    [{ num_key_value_heads: 3 }, /'num_key_value_heads': expected a divisor of num_attention_heads 4, got 3/],
    [{ hidden_act: 'relu' }, /'hidden_act': expected 'silu' or 'gelu_pytorch_tanh', got "relu"/],
    [{ attention_bias: true }, /'attention_bias': expected false/],
    [{ mlp_bias: true }, /'mlp_bias'/],
    [
      { rope_scaling: { rope_type: 'yarn', factor: 4 } },
      /'rope_scaling.rope_type': expected 'default', 'linear' or 'llama3', got "yarn"/,
    ],
    [
      { rope_scaling: { rope_type: 'linear' } },
      /'rope_scaling.factor': expected a positive number, got nothing/,
    ],
    [{ rope_parameters: { rope_type: 'default', rope_theta: -1 } }, /'rope_parameters.rope_theta'/],
    [{ rope_scaling: { rope_type: 'default', partial_rotary_factor: 0.5 } }, /partial_rotary_factor/],
    [{ final_logit_softcapping: 30 }, /'final_logit_softcapping'/],
    [{ quantization_config: { quant_method: 'gptq' } }, /'quantization_config'/],
    [{ eos_token_id: [1, 'x'] }, /'eos_token_id/],
    [{ model_type: 'lama' }, /'model_type': expected one of llama, /],
  ])('refuses %j naming file and field', (change, message) => {
    const error = errorOf(() => parse({ ...llama, ...change }));
    expect(error.code).toBe('format');
    expect(error.message).toMatch(/^config\.json: /);
    expect(error.message).toMatch(message);
  });

  it('suggests the nearest model type', () => {
    expect(errorOf(() => parse({ ...llama, model_type: 'qwen_2' })).hint).toBe("did you mean 'qwen2'?");
  });
});

/** A GGUF header with the keys llama.cpp writes for these sizes. */
function ggufOf(
  architecture: string,
  extra: GgufToWrite['metadata'] = {},
  tensors: GgufToWrite['tensors'] = {},
) {
  const file = path.join(folder, `${architecture}-${Math.abs(Object.keys(extra).join().length)}.gguf`);
  const own = (name: string, value: TypedValue) => [`${architecture}.${name}`, value] as const;
  writeGguf(file, {
    metadata: {
      'general.architecture': typed('string', architecture),
      ...Object.fromEntries([
        own('block_count', typed('uint32', 2)),
        own('embedding_length', typed('uint32', 64)),
        own('feed_forward_length', typed('uint32', 96)),
        own('attention.head_count', typed('uint32', 4)),
        own('attention.head_count_kv', typed('uint32', 2)),
        own('attention.layer_norm_rms_epsilon', typed('float32', 1e-5)),
        own('context_length', typed('uint32', 2048)),
        own('vocab_size', typed('uint32', 128)),
        own('rope.freq_base', typed('float32', 500_000)),
      ]),
      'tokenizer.ggml.eos_token_id': typed('uint32', 9),
      ...extra,
    },
    tensors: {
      'token_embd.weight': { shape: [130, 64], type: 'F32', data: new Float32Array(130 * 64) },
      ...tensors,
    },
  });
  return readGguf(file);
}

describe('GGUF metadata', () => {
  it('yields the config that config.json of the same model yields', () => {
    const config = readGgufConfig(
      ggufOf('llama', {
        'tokenizer.ggml.eot_token_id': typed('uint32', 9),
        'tokenizer.ggml.bos_token_id': typed('uint32', 1),
      }),
    );
    const same = parse({
      ...cases['llama: defaults for head size, key heads, eps, tying'],
      num_key_value_heads: 2,
      vocab_size: 130,
      rope_theta: 500_000,
      rms_norm_eps: Math.fround(1e-5),
      tie_word_embeddings: true,
      eos_token_id: 9,
      bos_token_id: 1,
    });
    expect(config).toEqual(same);
  });

  it('is untied when there is an output projection', () => {
    const output = { shape: [130, 64], type: 'F32', data: new Float32Array(130 * 64) } as const;
    expect(readGgufConfig(ggufOf('llama', {}, { 'output.weight': output })).tiedEmbeddings).toBe(false);
  });

  it('recovers Llama 3 rotary scaling from its divisors', () => {
    const divisors = Float32Array.from({ length: 8 }, (_, i) => {
      const turns = 8192 / (2 * Math.PI * 500_000 ** ((2 * i) / 16));
      if (turns > 4) return 1;
      if (turns < 1) return 32;
      const smooth = (turns - 1) / 3;
      return 1 / ((1 - smooth) / 32 + smooth);
    });
    const tensor = (data: Float32Array) => ({
      'rope_freqs.weight': { shape: [data.length], type: 'F32', data } as const,
    });
    expect(readGgufConfig(ggufOf('llama', {}, tensor(divisors))).rope.scaling).toEqual({
      kind: 'llama3',
      factor: 32,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    });
    const strange = divisors.map((value, i) => (i === 5 ? value * 1.01 : value));
    expect(() => readGgufConfig(ggufOf('llama', {}, tensor(strange)))).toThrow(/'rope_freqs.weight'/);
    expect(() => readGgufConfig(ggufOf('llama', {}, tensor(new Float32Array(32))))).toThrow(
      /'rope_freqs.weight'/,
    );
  });

  it('knows the constants of Gemma 3 that files leave out', () => {
    const config = readGgufConfig(
      ggufOf('gemma3', {
        'gemma3.block_count': typed('uint32', 7),
        'gemma3.attention.sliding_window': typed('uint32', 512),
        'gemma3.attention.key_length': typed('uint32', 32),
        'gemma3.attention.value_length': typed('uint32', 32),
        'gemma3.rope.scaling.type': typed('string', 'linear'),
        'gemma3.rope.scaling.factor': typed('float32', 8),
      }),
    );
    expect(config.layerAttention.map((type) => type[0]).join('')).toBe('sssssfs');
    expect(config).toMatchObject({
      family: 'gemma3',
      headDim: 32,
      slidingWindow: 512,
      localRope: { theta: 10_000, scaling: { kind: 'none' } },
      rope: { theta: 500_000, scaling: { kind: 'linear', factor: 8 } },
      activation: 'gelu_tanh',
      embeddingScale: 8,
      attentionScale: 32 ** -0.5,
      qkNorm: true,
      normPlusOne: true,
      postNorms: true,
    });
  });

  it('scales scores by hidden size over heads in Gemma 3 27B only', () => {
    const layers = {
      'gemma3.block_count': typed('uint32', 62),
      'gemma3.attention.key_length': typed('uint32', 32),
    };
    expect(readGgufConfig(ggufOf('gemma3', layers)).attentionScale).toBe(16 ** -0.5);
  });

  it.each([
    ['gpt2', {}, /'general.architecture': expected one of llama, qwen2, qwen3, gemma3, got 'gpt2'/],
    ['llama', { 'llama.attention.head_count_kv': typed('uint32', 3) }, /'llama.attention.head_count_kv'/],
    [
      'llama',
      { 'llama.rope.scaling.type': typed('string', 'yarn') },
      /'llama.rope.scaling.type'.*got 'yarn'/,
    ],
    [
      'llama',
      { 'llama.block_count': typed('string', '2') },
      /'llama.block_count': expected a number, got the string '2'/,
    ],
    [
      'llama',
      { 'llama.embedding_length': typed('uint32', 0) },
      /'llama.embedding_length': expected an integer in 1/,
    ],
    ['llama', { 'llama.attention.value_length': typed('uint32', 8) }, /'llama.attention.value_length'/],
    ['qwen3', { 'qwen3.final_logit_softcapping': typed('float32', 30) }, /'qwen3.final_logit_softcapping'/],
  ] as const)('refuses %s with %j naming the key', (architecture, extra, message) => {
    const error = errorOf(() => readGgufConfig(ggufOf(architecture, extra)));
    expect(error.code).toBe('format');
    expect(error.message).toMatch(message);
  });
});

const smolLm2 = process.env.LATENTWIRE_SMOLLM2_GGUF;
describe.skipIf(smolLm2 === undefined)('the SmolLM2 GGUF file (set LATENTWIRE_SMOLLM2_GGUF)', () => {
  it('has the published size and every weight of its config', () => {
    const gguf = readGguf(smolLm2!);
    const config = readGgufConfig(gguf);
    expect(parameterCount(config)).toBe(134_515_008);
    expect(locateWeights(config, 'gguf', gguf.tensors.values(), gguf.path)).toHaveLength(gguf.tensors.size);
    const published = sharedDataFile('configs/smollm2-135m.json');
    if (published === undefined) return;
    const { bosId, eosIds, rmsNormEps, ...rest } = parse(JSON.parse(fs.readFileSync(published, 'utf8')));
    expect(config).toEqual({ ...rest, bosId: 1, eosIds: [2], rmsNormEps: Math.fround(rmsNormEps) });
    expect([bosId, eosIds]).toEqual([0, [0]]);
  });
});

describe('weights', () => {
  const config = parse(cases['llama: defaults for head size, key heads, eps, tying']);
  const offered = (rename: (name: string) => string = (name) => name) =>
    weightTable(config).map(({ huggingFace, shape }) => ({ name: rename(huggingFace), shape }));

  it.each([
    ['a plain causal model', (name: string) => name],
    ['a bare base model', (name: string) => name.replace(/^model\./, '')],
    ['inside a vision model', (name: string) => `language_model.${name}`],
  ])('are found in %s', (_, rename) => {
    const found = locateWeights(config, 'safetensors', offered(rename), 'model.safetensors');
    expect(found.map(({ source }) => source)).toEqual(offered(rename).map(({ name }) => name));
    expect(found.every(({ transform }) => transform === 'none')).toBe(true);
  });

  it('carry the GGUF transforms of their family', () => {
    const gguf = weightTable(config).map(({ gguf: name, shape }) => ({ name, shape }));
    const found = locateWeights(config, 'gguf', gguf, 'x.gguf');
    const transformed = found.filter(({ transform }) => transform !== 'none').map((weight) => weight.name);
    expect(transformed).toEqual(['layers.0.q', 'layers.0.k', 'layers.1.q', 'layers.1.k']);
    const gemma = weightTable(parse(cases['gemma3_text: transformers 5 rope_parameters and layer_types']));
    const shifted = gemma.filter(({ ggufTransform }) => ggufTransform === 'minus-one');
    expect(shifted.every(({ gguf: name }) => name.endsWith('norm.weight'))).toBe(true);
    expect(shifted).toHaveLength(6 * 2 + 1);
  });

  it('name a missing tensor and the nearest one', () => {
    const renamed = offered((name) => name.replace('layers.1.mlp.up_proj', 'layers.1.mlp.upp_proj'));
    const error = errorOf(() => locateWeights(config, 'safetensors', renamed, 'model.safetensors'));
    expect(error.message).toBe(
      "model.safetensors: expected a tensor 'model.layers.1.mlp.up_proj.weight' [96,64], got none",
    );
    expect(error.hint).toMatch(/model\.layers\.1\.mlp\.upp_proj\.weight/);
  });

  it('name a tensor of another shape', () => {
    const swapped = offered().map((tensor) =>
      tensor.name === 'model.layers.0.mlp.down_proj.weight' ? { ...tensor, shape: [96, 64] } : tensor,
    );
    expect(() => locateWeights(config, 'safetensors', swapped, 'model.safetensors')).toThrow(
      "tensor 'model.layers.0.mlp.down_proj.weight': expected shape [64,96], got [96,64]",
    );
  });
});

describe('undoing GGUF transforms', () => {
  it.each(['q', 'k'] as const)('restores the rows of %s as transformers does', (name) => {
    const rows = golden.unpermute[name].length;
    const data = Float32Array.from({ length: rows * 2 }, (_, i) => i);
    undoGgufTransform(`unpermute-${name}`, data, { heads: 6, kvHeads: 2, headDim: 8 });
    expect(Array.from(data.filter((_, i) => i % 2 === 0))).toEqual(golden.unpermute[name]);
    expect(data.every((value, i) => i % 2 === 0 || value === data[i - 1]! + 1)).toBe(true);
  });

  it('treats a bias as a matrix of one column', () => {
    const data = Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7);
    undoGgufTransform('unpermute-q', data, { heads: 2, kvHeads: 1, headDim: 4 });
    expect(Array.from(data)).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
  });

  it('subtracts one from norm weights in float32', () => {
    const data = Float32Array.of(1, 1.5, 0.1);
    undoGgufTransform('minus-one', data, { heads: 1, kvHeads: 1, headDim: 2 });
    expect(Array.from(data)).toEqual([0, 0.5, Math.fround(Math.fround(0.1) - 1)]);
  });
});
