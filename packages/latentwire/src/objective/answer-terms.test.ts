import * as t from '@latentwire/torch';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tinySession } from '../training/tiny-session.fixture.js';
import { compose, type Segment } from '../wire/index.js';
import { targetLosses } from './answer-loss.js';
import { type AnswerObjective, answerTerms, earlyTokens, targetShares } from './answer-terms.js';
import { embeddingStatistics } from './manifold-loss.js';

const { reader } = tinySession(3, 0);
const { model } = reader;
const off = { answer: 0, firstToken: 0, kToken: 0, kd: 0, manifold: 0 };
const answers = [[5, 6, 7, 1], [8, 1], [1]];
const rows = answers.map((ids): Segment[] => [
  { kind: 'tokens', ids: [3, 4] },
  { kind: 'latents' },
  { kind: 'target', ids },
]);
const composed = compose(rows, 'right', 2);
const objective: AnswerObjective = {
  weights: { ...off, answer: 1, firstToken: 2, kToken: 3 },
  k: 2,
  counts: { targets: 7, examples: 3, kTokens: 4, kdPositions: 1 },
  teacher: null,
  statistics: null,
  share: 1,
};

describe('answerTerms', () => {
  it('takes means over all targets, the first ones, and the first K content tokens', () => {
    t.scope(() => {
      const prefix = t.mul(t.randn([3, 2, 16]), 0.1);
      const nll = targetLosses(model, composed, prefix).toArray();
      const { loss, values } = answerTerms(model, composed, prefix, objective);
      const [answer, first, early] = values.toArray();
      const mean = (places: number[]): number => places.reduce((sum, i) => sum + nll[i]!, 0) / places.length;
      expect(answer).toBeCloseTo(mean([0, 1, 2, 3, 4, 5, 6]), 5);
      expect(first).toBeCloseTo(mean([0, 4, 6]), 5);
      // Two content tokens, one, and the stop token of an empty answer.
      expect(early).toBeCloseTo(mean([0, 1, 4, 6]), 5);
      expect(loss.item()).toBeCloseTo(answer! + 2 * first! + 3 * early!, 4);
      expect(values.toArray().slice(3)).toEqual([0, 0]);
    });
  });

  it('has the same values and gradient with logits in pieces', () => {
    const run = (inPieces: boolean): number[][] =>
      t.scope(() => {
        const generator = new t.Generator('cpu', 3);
        const prefix = t.randn([3, 2, 16], { generator }).setRequiresGrad();
        const on = {
          ...objective,
          weights: { ...objective.weights, manifold: 0.25 },
          statistics: embeddingStatistics(model),
        };
        const padded = compose(rows, 'right', 2, { targets: 4 });
        const { loss, values } = answerTerms(model, padded, prefix, on, inPieces);
        t.backward(loss);
        return [values.toArray(), prefix.grad!.toArray()];
      });
    const [values, gradient] = run(false);
    const [own, gradients] = run(true);
    own!.forEach((x, i) => {
      expect(x).toBeCloseTo(values![i]!, 5);
    });
    const largest = Math.max(...gradient!.map(Math.abs));
    gradients!.forEach((g, i) => {
      expect(Math.abs(g - gradient![i]!)).toBeLessThan(1e-5 * largest);
    });
    expect(largest).toBeGreaterThan(1e-3);
  });

  it('has no pieces for a distillation, which needs all logits', () => {
    t.scope(() => {
      const distilled = { ...objective, weights: { ...off, kd: 1 } };
      expect(() => answerTerms(model, composed, t.randn([3, 2, 16]), distilled, true)).toThrow(/'kd'/);
    });
  });

  it('adds the manifold term by its weight, and computes none without', () => {
    t.scope(() => {
      const prefix = t.randn([3, 2, 16]);
      const on = {
        ...objective,
        weights: { ...off, answer: 1, manifold: 0.25 },
        statistics: embeddingStatistics(model),
        share: 0.5,
      };
      const { loss, values } = answerTerms(model, composed, prefix, on);
      const [answer, , , , manifold] = values.toArray();
      expect(manifold).toBeGreaterThan(0);
      expect(loss.item()).toBeCloseTo(answer! + 0.25 * manifold!, 3);
      expect(() => answerTerms(model, composed, prefix, { ...on, statistics: null })).toThrow(/'manifold'/);
    });
  });

  it('has a distillation of 0 in a batch without any distilled position', () => {
    t.scope(() => {
      const none = { tau: 1, topK: 2, ids: new Int32Array(), logProbs: new Float32Array() };
      const prefix = t.randn([3, 2, 16]).setRequiresGrad();
      const { loss, values } = answerTerms(model, composed, prefix, {
        ...objective,
        weights: { ...off, answer: 1, kd: 1 },
        counts: { ...objective.counts, kdPositions: 0 },
        teacher: { ...none, targets: new Int32Array(), rows: 0 },
      });
      t.backward(loss);
      expect(values.toArray()[3]).toBe(0);
      expect(prefix.grad!.toArray().every(Number.isFinite)).toBe(true);
    });
  });

  it('computes logits at supervised places only', () => {
    t.scope(() => {
      const prefix = t.randn([3, 2, 16]);
      let places = 0;
      const counting = Object.assign(Object.create(model) as typeof model, {
        logits: (hidden: t.Tensor) => {
          places += hidden.size(0);
          return t.linear(hidden, model.weights.head);
        },
        embed: (ids: t.Tensor) => t.embedding(model.weights.embed, ids),
        hidden: (...given: Parameters<typeof model.hidden>) => model.hidden(...given),
      });
      answerTerms(counting, composed, prefix, objective);
      expect(places).toBe(7);
    });
  });
});

describe('targetShares', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });

  it('gives each mean a total of 1, and no share to what it leaves out (property)', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 6 }), (sizes, k) => {
        const rowOf = Int32Array.from(sizes.flatMap((n, i) => new Array<number>(n).fill(i)));
        const n = rowOf.length;
        const counts = {
          targets: n,
          examples: sizes.length,
          kTokens: sizes.reduce((sum, size) => sum + earlyTokens(size, k), 0),
          kdPositions: 0,
        };
        const weights = { ...off, answer: 0.5, firstToken: 2, kToken: 1.5 };
        const shares = targetShares(rowOf, { weights, k, counts });
        const total = (of: number): number => shares.slice(of * n, (of + 1) * n).reduce((a, b) => a + b, 0);
        expect([total(1), total(2), total(3)].map((x) => Math.round(x * 1e5) / 1e5)).toEqual([1, 1, 1]);
        expect(total(0)).toBeCloseTo(0.5 + 2 + 1.5, 4);
        let start = 0;
        for (const size of sizes) {
          const early = Array.from(shares.slice(3 * n + start, 3 * n + start + size), (x) => x > 0);
          // The first K, and the stop token at the end only when it is alone.
          expect(early).toEqual(early.map((_, p) => p < k && (p < size - 1 || size === 1)));
          start += size;
        }
      }),
    );
  });
});
