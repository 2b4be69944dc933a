import * as t from '@latentwire/torch';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadFacts } from '../data/facts/index.js';
import { contextTokens, fullPromptTokens, type Reader } from '../wire/index.js';
import { type BaselineInputs, baselineRows, generativeBaselines } from './baseline.js';
import { shuffledPartners } from './shuffled-latents.js';
import { keepTokens } from './text-rows.js';
import { tinyLlamaReader } from './tiny-llama.fixture.js';

const root = new t.random.RandomRoot(11);
const { examples } = loadFacts({ split: 'dev', samples: 10 });
let reader: Reader;
beforeAll(async () => {
  reader = await tinyLlamaReader();
});
afterAll(() => reader.model.dispose());

const inputs = (more: Partial<BaselineInputs> = {}): BaselineInputs => ({
  ...{ reader, examples, positions: 4, budgetMode: 'first', latentWidth: 16, root },
  ...more,
});

describe('baselineRows', () => {
  it('reads no gold answer', async () => {
    const other = examples.map((e) => ({ ...e, answers: ['something else'] }));
    for (const kind of generativeBaselines) {
      const [own, changed] = [
        await baselineRows(kind, inputs()),
        await baselineRows(kind, inputs({ examples: other })),
      ];
      expect(changed.rows).toEqual(own.rows);
      t.scope(() => expect(changed.prefix?.([1, 0]).toArray()).toEqual(own.prefix?.([1, 0]).toArray()));
    }
  });

  it('gives the whole text, a part of it, or none', async () => {
    const prompts = await fullPromptTokens(reader, examples);
    const text = await baselineRows('text_only', inputs());
    expect(text.rows).toEqual(prompts.map((ids) => [{ kind: 'tokens', ids }]));
    const contexts = await contextTokens(
      reader,
      examples.map((e) => e.context),
    );
    expect(text.contextPositions).toEqual(contexts.map((ids) => ids.length));
    for (const budgetMode of ['first', 'last', 'random'] as const) {
      const { rows, contextPositions } = await baselineRows('token_budget', inputs({ budgetMode }));
      expect(new Set(contextPositions)).toEqual(new Set([4]));
      rows.forEach((row, i) => {
        const kept = row[1]?.kind === 'tokens' ? Array.from(row[1].ids) : [];
        const all = Array.from(contexts[i]!);
        if (budgetMode === 'first') expect(kept).toEqual(all.slice(0, 4));
        if (budgetMode === 'last') expect(kept).toEqual(all.slice(-4));
        expect(kept).toHaveLength(4);
      });
    }
    expect((await baselineRows('no_context', inputs())).contextPositions.every((n) => n === 0)).toBe(true);
  });

  it('makes one prefix row per asked example, whatever its batch-mates', async () => {
    for (const kind of ['pooled_embeddings', 'random_projection'] as const) {
      const { prefix, latents } = await baselineRows(kind, inputs());
      expect(latents).toBe(4);
      t.scope(() => {
        const three = prefix!([2, 5, 0]);
        expect(three.shape).toEqual([3, 4, reader.model.config.hiddenSize]);
        const difference = t.sub(t.narrow(three, 0, 1, 1), prefix!([5]));
        expect(t.max(t.abs(difference)).item()).toBeLessThan(1e-6);
      });
    }
  });

  it('projects at random to vectors of the size of embeddings that the seed decides and d_z limits', async () => {
    const [one, again, other] = [
      await baselineRows('random_projection', inputs()),
      await baselineRows('random_projection', inputs()),
      await baselineRows('random_projection', inputs({ root: new t.random.RandomRoot(12) })),
    ];
    t.scope(() => {
      const p = one.prefix!([0, 1]);
      expect(again.prefix!([0, 1]).toArray()).toEqual(p.toArray());
      expect(other.prefix!([0, 1]).toArray()).not.toEqual(p.toArray());
      const rms = t.sqrt(t.mean(t.square(p), [-1])).toArray();
      for (const value of rms) expect(value / reader.model.embeddingRms).toBeCloseTo(1, 3);
    });
    const narrow = await baselineRows('random_projection', inputs({ latentWidth: 1 }));
    t.scope(() => {
      // One number, normalised, is a sign: all vectors are ± the same.
      const rows = t.reshape(narrow.prefix!([0, 1, 2]), [12, -1]);
      const cosine = t.matmul(t.rmsNorm(rows), t.transpose(t.rmsNorm(rows), 0, 1)).toArray();
      const width = reader.model.config.hiddenSize;
      for (const value of cosine) expect(Math.abs(value) / width).toBeCloseTo(1, 3);
    });
  });
});

describe('keepTokens', () => {
  it('keeps a random subset in its order, the same for the same stream (property)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 0, max: 20 }),
        fc.nat(99),
        (n, budget, s) => {
          const ids = Int32Array.from({ length: n }, (_, i) => i);
          const kept = keepTokens(ids, budget, 'random', () => root.stream(String(s)));
          expect(kept).toHaveLength(Math.min(n, budget));
          expect([...kept]).toEqual([...kept].sort((a, b) => a - b));
          expect(new Set(kept).size).toBe(kept.length);
          expect(keepTokens(ids, budget, 'random', () => root.stream(String(s)))).toEqual(kept);
        },
      ),
    );
  });
});

describe('shuffledPartners', () => {
  it('pairs every question with another context (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 2, maxLength: 30 }),
        fc.nat(50),
        (ids, s) => {
          const some = ids.map((contextId, i) => ({
            ...examples[0]!,
            id: String(i),
            contextId: String(contextId),
          }));
          const partners = shuffledPartners(some, root.stream(String(s)));
          if (new Set(ids).size === 1) return;
          partners.forEach((partner, i) => {
            expect(some[partner]!.contextId).not.toBe(some[i]!.contextId);
          });
        },
      ),
    );
  });
});
