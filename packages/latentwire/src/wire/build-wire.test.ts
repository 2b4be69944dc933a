import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { applyAssignments, type RunConfig } from '../config/index.js';
import { generate, type LanguageModel } from '../models/decoder/index.js';
import { buildWire, type EncoderSource, encoderLimit, latentLayout } from './build-wire.js';
import { batchEmbeddings, compose } from './compose.js';
import { encoderBatch } from './encoders/index.js';
import type { LatentWire } from './latent-wire.js';
import { noTokenizer, tinyModel, tinyTexts, VOCABULARY } from './tiny-model.fixture.js';

type Settings = Readonly<Record<string, unknown>>;

function configOf(settings: Settings): RunConfig {
  const all = {
    'wire.latent_len': 4,
    'wire.d_z': 6,
    'adapter.hidden': 12,
    'encoder.width': 16,
    'encoder.heads': 2,
    'encoder.layers': 2,
    ...settings,
  };
  return applyAssignments(Object.entries(all).map(([path, value]) => ({ path, value, origin: 'test' })));
}

/** Two frozen models of different widths. */
const readers = (): LanguageModel[] => [
  tinyModel(11),
  tinyModel(12, { hiddenSize: 24, heads: 3, headDim: 8, intermediateSize: 40 }),
];

function wireOf(settings: Settings, models: readonly LanguageModel[], seed = 1): LatentWire {
  const config = configOf(settings);
  const model = config.encoder.type === 'byte' ? null : tinyModel(5);
  const source: EncoderSource = { tokenizer: noTokenizer, model, device: 'cpu', computeDtype: 'float32' };
  return buildWire(config, models, source, new t.Generator('cpu', seed));
}

const kinds: [string, Settings][] = [
  ['lm', {}],
  ['lm by LoRA', { 'encoder.lora_rank': 2 }],
  ['byte', { 'encoder.type': 'byte' }],
  ['stq', { 'encoder.type': 'stq' }],
];

describe('buildWire', () => {
  it('puts all readers on one wire: shared latents, one adapter per model width', () => {
    t.scope(() => {
      const wire = wireOf({}, readers());
      const batch = encoderBatch(tinyTexts([9, 3]));
      const z = wire.encode(batch);
      expect(z.shape).toEqual([2, 4, 6]);
      expect(wire.prefix(z, 0).shape).toEqual([2, 4, 16]);
      expect(wire.prefix(z, 1).shape).toEqual([2, 4, 24]);
      wire.dispose();
    });
  });

  it('divides M into shared latents and private ones for each model', () => {
    t.scope(() => {
      const wire = wireOf({ 'wire.latent_private_len': 1 }, readers());
      const z = wire.encode(encoderBatch(tinyTexts([9, 3])));
      expect(z.shape).toEqual([2, 4, 6]); // M = 2 shared + 1 private · 2 models
      const prefixes = [0, 1].map((k) => wire.prefix(z, k));
      expect(prefixes.map((prefix) => prefix.shape)).toEqual([
        [2, 3, 16],
        [2, 3, 24],
      ]);
      // Another's private latents change nothing; one's own and the shared ones do.
      const changed = (slot: number): boolean[] => {
        const other = t.cat(
          [t.narrow(z, 1, 0, slot), t.randn([2, 1, 6]), t.narrow(z, 1, slot + 1, 3 - slot)],
          1,
        );
        return [0, 1].map((k) => wire.prefix(other, k).toArray().join() !== prefixes[k]!.toArray().join());
      };
      expect([0, 1, 2, 3].map(changed)).toEqual([
        [true, false],
        [false, true],
        [true, true],
        [true, true],
      ]);
      wire.dispose();
    });
  });

  it('counts M as the stated shared latents plus the private ones', () => {
    const { wire } = configOf({ 'wire.latent_shared_len': 5, 'wire.latent_private_len': 2 });
    const layout = latentLayout(wire, 3);
    expect(layout.sent(layout.shared([100]))[0]).toBe(11);
    expect(() => latentLayout(configOf({ 'wire.latent_private_len': 2 }).wire, 2)).toThrow(/shared latent/);
  });

  it('starts from the same bytes for the same seed', () => {
    t.scope(() => {
      const values = [1, 1, 2].map((seed) =>
        wireOf({}, readers(), seed)
          .parameters()
          .map((p) => p.toArray().join())
          .join(),
      );
      expect(values[1]).toBe(values[0]);
      expect(values[2]).not.toBe(values[0]);
    });
  });

  it('names every parameter once, and knows which are pretrained', () => {
    t.scope(() => {
      for (const [, settings] of kinds) {
        const wire = wireOf({ ...settings, 'wire.latent_private_len': 1 }, readers());
        const names = [...wire.namedParameters()].map(([name]) => name);
        expect(new Set(names).size).toBe(names.length);
        expect(
          names.every((name) => /^(?:encoder\.(?:tokens|shared|private\.\d)|adapters\.\d)\./.test(name)),
        ).toBe(true);
        const pretrained = names.filter((name) => wire.isPretrained(name)).length;
        const type = settings['encoder.type'] ?? 'lm';
        expect(pretrained > 0).toBe(type === 'lm');
      }
    });
  });

  it('limits the byte encoder in bytes and the others in tokens', () => {
    expect(encoderLimit(configOf({ 'encoder.type': 'byte' }).encoder)).toBe(2048);
    expect(encoderLimit(configOf({}).encoder)).toBe(512);
  });

  it('frees all that it owns', () => {
    const models = readers();
    const before = t.liveTensors();
    for (const [, settings] of kinds) wireOf(settings, models).dispose();
    expect(t.liveTensors()).toBe(before);
  });
});

describe.each(kinds)('an example in a batch, encoder %s', (_, settings) => {
  const texts = tinyTexts([9, 1, 14, 5]);
  const tails = tinyTexts([2, 4, 3, 6]);

  it.each([
    ['a fixed number of latents', {}],
    [
      'a latent per 3 tokens, private ones and 8 bits',
      { 'wire.latent_ratio': 3, 'wire.latent_private_len': 1, 'wire.bits': 8 },
    ],
  ])('has the prefix and the answers that it has alone, with %s', (_title, more) => {
    t.scope(() =>
      t.noGrad(() => {
        const models = readers();
        const wire = wireOf({ ...settings, 'wire.latent_shared_len': 4, ...more }, models);
        for (const [k, model] of models.entries()) {
          const together = answers(wire, model, k, [0, 1, 2, 3]);
          expect(new Set(together.ids.map(String)).size).toBeGreaterThan(1);
          for (const i of [0, 1, 2, 3]) {
            const alone = answers(wire, model, k, [i]);
            expect(alone.ids[0]).toEqual(together.ids[i]);
            const own = t.narrow(t.narrow(together.prefix, 0, i, 1), 1, 0, alone.prefix.size(1));
            expect(t.max(t.abs(t.sub(own, alone.prefix))).item()).toBeLessThan(1e-5);
          }
        }
      }),
    );
  });

  function answers(
    wire: LatentWire,
    model: LanguageModel,
    k: number,
    examples: readonly number[],
  ): { prefix: t.Tensor; ids: number[][] } {
    const batch = encoderBatch(examples.map((i) => texts[i]!));
    const shared = wire.layout.shared(batch.lengths);
    const prefix = wire.prefix(wire.encode(batch, shared), k, shared);
    const rows = examples.map((i) => [
      { kind: 'tokens' as const, ids: [2, 3] },
      { kind: 'latents' as const },
      { kind: 'tokens' as const, ids: tails[i]! },
    ]);
    const composed = compose(rows, 'left', wire.layout.seen(shared));
    const { embeds, valid } = batchEmbeddings(composed, (ids) => model.embed(ids), prefix, 'cpu');
    const ids = generate(model, embeds, { valid, maxNewTokens: 8, stopIds: [1] });
    expect(ids.flat().every((id) => id < VOCABULARY)).toBe(true);
    return { prefix, ids };
  }
});
