import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { tinySession } from '../training/tiny-session.fixture.js';
import { alignmentLoss } from './alignment-loss.js';
import { embeddingStatistics, manifoldLoss } from './manifold-loss.js';
import { pooledEmbeddings } from './pooled-embeddings.js';

const { reader } = tinySession(3, 0);
const { model } = reader;
const texts = [Int32Array.of(5, 6, 7, 8), Int32Array.of(9, 10)];

describe('manifoldLoss', () => {
  it('is 0 for the embedding table itself, and counts shift and spread in units of its spread', () => {
    t.scope(() => {
      const statistics = embeddingStatistics(model);
      const table = t.unsqueeze(model.weights.embed, 0);
      expect(manifoldLoss(table, statistics).item()).toBeLessThan(1e-8);
      // One standard deviation away in every dimension; twice as wide in every dimension.
      expect(manifoldLoss(t.add(table, statistics.std), statistics).item()).toBeCloseTo(1, 4);
      const wider = t.add(t.mul(t.sub(table, statistics.mean), 2), statistics.mean);
      expect(manifoldLoss(wider, statistics).item()).toBeCloseTo(1, 4);
    });
  });

  it('pulls a prefix that is too large towards the table, also one without any spread', () => {
    t.scope(() => {
      const statistics = embeddingStatistics(model);
      for (const start of [t.mul(t.randn([2, 3, 16]), 5), t.zeros([2, 3, 16])]) {
        const prefix = start.setRequiresGrad();
        const loss = manifoldLoss(prefix, statistics);
        t.backward(loss);
        const gradient = prefix.grad!;
        expect(gradient.toArray().every(Number.isFinite)).toBe(true);
        const next = t.sub(prefix, t.mul(gradient, 1e-3));
        expect(manifoldLoss(next, statistics).item()).toBeLessThanOrEqual(loss.item());
      }
    });
  });

  it('uses the statistics of embeddings as the decoder reads them', () => {
    t.scope(() => {
      const { mean, std } = embeddingStatistics(model);
      const table = model.weights.embed.toArray();
      const column = Array.from({ length: 32 }, (_, i) => table[i * 16 + 2]! * model.config.embeddingScale);
      const centre = column.reduce((a, b) => a + b) / 32;
      const spread = Math.sqrt(column.reduce((sum, x) => sum + (x - centre) ** 2, 0) / 32);
      expect(mean.toArray()[2]).toBeCloseTo(centre, 6);
      expect(std.toArray()[2]).toBeCloseTo(spread, 6);
    });
  });
});

describe('alignmentLoss', () => {
  const target = { texts, privateLen: 0, shared: [2, 2], share: 0.5 };

  it('is 0 for a prefix in the direction of the pooled embeddings, at any size', () => {
    t.scope(() => {
      const prefix = t.mul(pooledEmbeddings(model, texts, 2), 7);
      expect(alignmentLoss(model, prefix, target).value.item()).toBeLessThan(1e-8);
      expect(alignmentLoss(model, t.neg(prefix), target).value.item()).toBeCloseTo(4, 4);
    });
  });

  it('does not look at vectors after the last of a row', () => {
    t.scope(() => {
      const prefix = t.randn([2, 2, 16]);
      const ragged = { ...target, shared: [2, 1] };
      const value = (p: t.Tensor): number => alignmentLoss(model, p, ragged).value.item();
      const [first, second] = [t.narrow(prefix, 0, 0, 1), t.narrow(prefix, 0, 1, 1)];
      const changed = (row: t.Tensor): t.Tensor => t.cat([t.narrow(row, 1, 0, 1), t.full([1, 1, 16], 5)], 1);
      expect(value(t.cat([first, changed(second)]))).toBe(value(prefix));
      expect(value(t.cat([changed(first), second]))).not.toBe(value(prefix));
    });
  });

  it('aligns private vectors with windows of their own', () => {
    t.scope(() => {
      const prefix = t.cat([pooledEmbeddings(model, texts, 1), pooledEmbeddings(model, texts, 2)], 1);
      const own = { ...target, privateLen: 1 };
      expect(alignmentLoss(model, prefix, own).value.item()).toBeLessThan(1e-8);
    });
  });
});
