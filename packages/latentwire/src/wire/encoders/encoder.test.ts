/** What every encoder promises, whatever it is made of: one suite, run on all kinds. */
import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { applyAssignments } from '../../config/index.js';
import { buildEncoder, latentLayout, type WireConfig } from '../build-wire.js';
import { tinyModel, tinyTexts, VOCABULARY } from '../tiny-model.fixture.js';
import { ByteTokenizer } from './byte-tokenizer.js';
import type { Encoder } from './encoder.js';
import { encoderBatch } from './token-encoder.js';

const [SLOTS, WIDTH, READERS] = [3, 6, 2];

const kinds: Record<string, Readonly<Record<string, unknown>>> = {
  lm: { 'encoder.type': 'lm' },
  'lm, not causal': { 'encoder.type': 'lm', 'encoder.non_causal': true },
  'lm by LoRA': { 'encoder.type': 'lm', 'encoder.lora_rank': 2 },
  byte: { 'encoder.type': 'byte', 'encoder.layers': 2 },
  stq: { 'encoder.type': 'stq' },
};

function configOf(settings: Readonly<Record<string, unknown>>): WireConfig {
  const all = {
    'wire.latent_shared_len': SLOTS,
    'wire.d_z': WIDTH,
    'encoder.width': 16,
    'encoder.heads': 2,
    ...settings,
  };
  return applyAssignments(Object.entries(all).map(([path, value]) => ({ path, value, origin: 'test' })));
}

function encoderOf(settings: Readonly<Record<string, unknown>>, seed = 1): Encoder {
  const config = configOf(settings);
  const model = config.encoder.type === 'byte' ? null : tinyModel(5);
  const source = { tokenizer: new ByteTokenizer(), model, device: 'cpu', computeDtype: 'float32' } as const;
  return buildEncoder(config, latentLayout(config.wire, READERS), source, new t.Generator('cpu', seed));
}

function largestDifference(a: t.Tensor, b: t.Tensor): number {
  return t.max(t.abs(t.sub(a, b))).item();
}

const LENGTHS = [9, 1, 14, 5];
const texts = tinyTexts(LENGTHS);

describe.each(Object.entries(kinds))('encoder %s', (_, settings) => {
  const withPrivate = { ...settings, 'wire.latent_private_len': 2 };

  it('makes latents of the asked number and width, in fp32, of root mean square near 1', () => {
    t.scope(() => {
      const encoder = encoderOf(withPrivate);
      const z = encoder.encode(encoderBatch(texts), SLOTS);
      expect(z.shape).toEqual([4, READERS * 2 + SLOTS, WIDTH]);
      expect(z.dtype).toBe('float32');
      expect(Math.sqrt(t.mean(t.square(z)).item())).toBeCloseTo(1, 2);
      encoder.dispose();
    });
  });

  it.each([
    ['as many latents for each text', [SLOTS, SLOTS, SLOTS, SLOTS]],
    ['a number of latents for each text', [3, 1, 7, 2]],
  ])("makes a text's latents independent of its batch-mates, with %s", (_title, shared) => {
    t.scope(() => {
      const encoder = encoderOf(withPrivate);
      const together = encoder.encode(encoderBatch(texts), shared);
      texts.forEach((ids, row) => {
        const alone = encoder.encode(encoderBatch([ids]), shared[row]!);
        const own = t.narrow(t.select(together, 0, row), 0, 0, alone.size(1));
        expect(largestDifference(own, t.select(alone, 0, 0))).toBeLessThan(1e-5);
        const rest = t.narrow(t.select(together, 0, row), 0, alone.size(1), together.size(1) - alone.size(1));
        expect(rest.toArray().every((x) => x === 0)).toBe(true);
      });
      encoder.dispose();
    });
  });

  it('never looks at what stands in the padding', () => {
    t.scope(() => {
      const encoder = encoderOf(withPrivate);
      const batch = encoderBatch(texts);
      const noisy = Int32Array.from(batch.ids, (id, at) =>
        at % batch.length < batch.lengths[Math.floor(at / batch.length)]! ? id : 2 + (at % (VOCABULARY - 2)),
      );
      expect(noisy).not.toEqual(batch.ids);
      const changed = encoder.encode({ ...batch, ids: noisy }, SLOTS);
      expect(largestDifference(changed, encoder.encode(batch, SLOTS))).toBeLessThan(1e-6);
      encoder.dispose();
    });
  });

  it('tells different texts, and the latents of one text, apart', () => {
    t.scope(() => {
      const encoder = encoderOf(settings);
      const z = encoder.encode(encoderBatch(tinyTexts([12, 12])), SLOTS);
      expect(largestDifference(t.select(z, 0, 0), t.select(z, 0, 1))).toBeGreaterThan(0.05);
      expect(largestDifference(t.select(z, 1, 0), t.select(z, 1, 1))).toBeGreaterThan(0.01);
      encoder.dispose();
    });
  });

  it('starts from the same bytes for the same seed, and from others for another', () => {
    t.scope(() => {
      const states = [1, 1, 2].map((seed) => {
        const encoder = encoderOf(withPrivate, seed);
        const bytes = [...encoder.stateDict()].map(([name, p]) => `${name} ${p.toArray().join()}`);
        encoder.dispose();
        return bytes;
      });
      expect(states[1]).toEqual(states[0]);
      expect(states[2]).not.toEqual(states[0]);
    });
  });

  it('is wholly described by its named parameters', () => {
    t.scope(() => {
      const [one, other] = [encoderOf(withPrivate, 1), encoderOf(withPrivate, 2)];
      other.loadStateDict(one.stateDict());
      const batch = encoderBatch(texts);
      expect(other.encode(batch, SLOTS).toArray()).toEqual(one.encode(batch, SLOTS).toArray());
      one.dispose();
      other.dispose();
    });
  });

  it('sends a gradient to every parameter', () => {
    t.scope(() => {
      const encoder = encoderOf(withPrivate);
      const z = encoder.encode(encoderBatch(texts), SLOTS);
      t.backward(t.sum(t.mul(z, t.randn(z.shape))));
      const without = [...encoder.namedParameters()].filter(([, p]) => p.grad === null).map(([name]) => name);
      expect(without).toEqual([]);
      encoder.dispose();
    });
  });

  it('has latents for an empty text', () => {
    t.scope(() => {
      const encoder = encoderOf(settings);
      const z = encoder.encode(encoderBatch([new Int32Array(), texts[0]!]), SLOTS);
      expect(z.toArray().every(Number.isFinite)).toBe(true);
      encoder.dispose();
    });
  });

  it('keeps nothing alive: not after a pass, and nothing at all when disposed', () => {
    const before = t.liveTensors();
    const encoder = encoderOf(withPrivate);
    const pass = (): void => t.scope(() => void encoder.encode(encoderBatch(texts), SLOTS));
    pass();
    const after = t.liveTensors();
    pass();
    expect(t.liveTensors()).toBe(after);
    encoder.dispose();
    expect(t.liveTensors()).toBe(before);
  });
});

describe('parameter names', () => {
  const names = (settings: Readonly<Record<string, unknown>>): string[] => {
    const encoder = encoderOf(settings);
    const all = [...encoder.namedParameters()].map(([name]) => name);
    encoder.dispose();
    // One layer, one private head and one kind of matrix stand for all.
    return all.filter(
      (name) => !/layers\.[1-9]|private\.[1-9]|layers\.0\.(?:gateUp|output|ffnNorm)/.test(name),
    );
  };

  it('are stable, because checkpoints use them', () => {
    expect(names({ ...kinds.lm, 'wire.latent_private_len': 1 })).toMatchInlineSnapshot(`
      [
        "tokens.model.embed",
        "tokens.model.layers.0.attnNorm",
        "tokens.model.layers.0.qkv",
        "tokens.model.layers.0.down",
        "tokens.model.norm",
        "shared.project.weight",
        "shared.project.bias",
        "shared.norm.weight",
        "private.0.project.weight",
        "private.0.project.bias",
        "private.0.norm.weight",
      ]
    `);
    expect(names(kinds['lm by LoRA']!)).toMatchInlineSnapshot(`
      [
        "tokens.lora.layers.0.qkv.down",
        "tokens.lora.layers.0.qkv.up",
        "tokens.lora.layers.0.down.down",
        "tokens.lora.layers.0.down.up",
        "shared.project.weight",
        "shared.project.bias",
        "shared.norm.weight",
      ]
    `);
    expect(names(kinds.byte!)).toMatchInlineSnapshot(`
      [
        "tokens.embed.weight",
        "tokens.layers.0.attentionNorm.weight",
        "tokens.layers.0.attentionNorm.bias",
        "tokens.layers.0.attention.query.weight",
        "tokens.layers.0.attention.query.bias",
        "tokens.layers.0.attention.key.weight",
        "tokens.layers.0.attention.key.bias",
        "tokens.layers.0.attention.value.weight",
        "tokens.layers.0.attention.value.bias",
        "tokens.layers.0.attention.output.weight",
        "tokens.layers.0.attention.output.bias",
        "tokens.layers.0.mlpNorm.weight",
        "tokens.layers.0.mlpNorm.bias",
        "tokens.layers.0.mlp.up.weight",
        "tokens.layers.0.mlp.up.bias",
        "tokens.layers.0.mlp.down.weight",
        "tokens.layers.0.mlp.down.bias",
        "tokens.norm.weight",
        "tokens.norm.bias",
        "shared.queries",
        "shared.input.weight",
        "shared.input.bias",
        "shared.inputNorm.weight",
        "shared.inputNorm.bias",
        "shared.attention.query.weight",
        "shared.attention.query.bias",
        "shared.attention.key.weight",
        "shared.attention.key.bias",
        "shared.attention.value.weight",
        "shared.attention.value.bias",
        "shared.attention.output.weight",
        "shared.attention.output.bias",
        "shared.mlpNorm.weight",
        "shared.mlpNorm.bias",
        "shared.mlp.up.weight",
        "shared.mlp.up.bias",
        "shared.mlp.down.weight",
        "shared.mlp.down.bias",
        "shared.project.weight",
        "shared.project.bias",
        "shared.norm.weight",
      ]
    `);
    expect(names(kinds.stq!)).toMatchInlineSnapshot(`
      [
        "shared.queries",
        "shared.input.weight",
        "shared.input.bias",
        "shared.inputNorm.weight",
        "shared.inputNorm.bias",
        "shared.attention.query.weight",
        "shared.attention.query.bias",
        "shared.attention.key.weight",
        "shared.attention.key.bias",
        "shared.attention.value.weight",
        "shared.attention.value.bias",
        "shared.attention.output.weight",
        "shared.attention.output.bias",
        "shared.mlpNorm.weight",
        "shared.mlpNorm.bias",
        "shared.mlp.up.weight",
        "shared.mlp.up.bias",
        "shared.mlp.down.weight",
        "shared.mlp.down.bias",
        "shared.project.weight",
        "shared.project.bias",
        "shared.norm.weight",
      ]
    `);
  });
});
