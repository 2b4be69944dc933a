import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { tinySession } from '../training/tiny-session.fixture.js';
import { compose, type Segment } from '../wire/index.js';
import { answerLoss } from './answer-loss.js';
import { piecewiseLoss } from './reading-loss.js';

const { model } = tinySession(5, 0).reader;
const rows: Segment[][] = [
  [{ kind: 'latents' }, { kind: 'tokens', ids: [4] }, { kind: 'target', ids: [5, 6, 7, 8, 1] }],
  [{ kind: 'latents' }, { kind: 'tokens', ids: [4, 9] }, { kind: 'target', ids: [10, 1] }],
];
const composed = compose(rows, 'right', 3, { targets: 4 });

/** Value of the loss and gradient of the prefix. */
function outcome(loss: (prefix: t.Tensor) => { loss: t.Tensor; value: t.Tensor }): [number, number[]] {
  return t.scope(() => {
    const generator = new t.Generator('cpu', 3);
    const prefix = t.randn([2, 3, model.config.hiddenSize], { generator }).setRequiresGrad();
    const terms = loss(prefix);
    t.backward(terms.loss);
    return [terms.value.item(), prefix.grad!.toArray()];
  });
}

describe('piecewiseLoss', () => {
  const [value, gradient] = outcome((prefix) => answerLoss(model, composed, prefix, 9, 0.7));

  it.each([
    ['one piece', 2 ** 20],
    ['pieces of three places', 3 * model.config.vocabSize],
    ['a piece smaller than one place', 1],
  ])('is the cross-entropy and its gradient: %s', (_, piece) => {
    expect(composed.targetIds).toHaveLength(8);
    const [own, gradients] = outcome((prefix) =>
      piecewiseLoss(model, composed, prefix, { tokens: 9, weight: 0.7, piece }),
    );
    expect(own).toBeCloseTo(value, 5);
    gradients.forEach((g, i) => {
      expect(Math.abs(g - gradient[i]!)).toBeLessThan(1e-6);
    });
    expect(Math.max(...gradient.map(Math.abs))).toBeGreaterThan(1e-3);
  });

  it('leaves the frozen model without gradients, and no tensors behind', () => {
    const before = t.liveTensors();
    outcome((prefix) => piecewiseLoss(model, composed, prefix, { tokens: 9, weight: 1, piece: 64 }));
    expect(t.liveTensors()).toBe(before);
    expect(model.weights.head.grad).toBeNull();
  });

  it('stays finite where a target is next to impossible', () => {
    const [own] = outcome((prefix) =>
      piecewiseLoss(model, composed, t.mul(prefix, 1e4), { tokens: 9, weight: 1 }),
    );
    expect(Number.isFinite(own)).toBe(true);
  });
});
