import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { namedWeights } from '../../models/decoder/index.js';
import { tinyModel } from '../tiny-model.fixture.js';
import { LmTokenEncoder } from './lm-token-encoder.js';
import { Lora } from './lora.js';
import { encoderBatch, realTokens } from './token-encoder.js';

const batch = encoderBatch([Int32Array.from([3, 4, 5, 6]), Int32Array.from([7, 8])]);
const options = { causal: true, computeDtype: 'float32' } as const;

function encoder(train: 'nothing' | { loraRank: number }): LmTokenEncoder {
  return new LmTokenEncoder(tinyModel(5), { ...options, train, generator: new t.Generator('cpu', 1) });
}

describe('Lora', () => {
  it('adds 2·B·A to a weight, in the dtype of the weight', () => {
    t.scope(() => {
      const lora = new Lora(3, 2, 1, {});
      t.noGrad(() => {
        t.copy_(lora.down, t.tensor([[1, 2, 3]]));
        t.copy_(lora.up, t.tensor([[10], [20]]));
      });
      expect(lora.added(t.ones([2, 3])).toArray()).toEqual([21, 41, 61, 41, 81, 121]);
      expect(lora.added(t.ones([2, 3], { dtype: 'bfloat16' })).dtype).toBe('bfloat16');
      lora.dispose();
    });
  });

  it('starts as the frozen model', () => {
    t.scope(() => {
      const [tuned, frozen] = [encoder({ loraRank: 4 }), encoder('nothing')];
      expect(tuned.states(batch, realTokens(batch, 'cpu')).toArray()).toEqual(
        frozen.states(batch, realTokens(batch, 'cpu')).toArray(),
      );
      tuned.dispose();
      frozen.dispose();
    });
  });

  it('trains the low-rank parts alone, and through them changes the states', () => {
    t.scope(() => {
      const tuned = encoder({ loraRank: 4 });
      const before = tuned.states(batch, realTokens(batch, 'cpu'));
      t.backward(t.sum(t.mul(before, t.randn(before.shape))));
      // A has no gradient yet in value, because B is zero; B has.
      for (const [name, p] of tuned.namedParameters()) {
        expect(name).toMatch(/^lora\.layers\.\d\.(?:qkv|output|gateUp|down)\.(?:up|down)$/);
        if (name.endsWith('.up')) expect(t.max(t.abs(p.grad!)).item()).toBeGreaterThan(0);
        t.noGrad(() => t.add_(p, p.grad!, -0.1));
      }
      expect(tuned.states(batch, realTokens(batch, 'cpu')).toArray()).not.toEqual(before.toArray());
      tuned.dispose();
    });
  });

  it('keeps the number of trained values below those of the matrices', () => {
    const model = tinyModel(5);
    const matrices = [...namedWeights(model.weights)].filter(([name]) => name.startsWith('layers.'));
    const all = matrices.reduce((n, [, tensor]) => n + tensor.numel, 0);
    const tuned = new LmTokenEncoder(model, {
      ...options,
      train: { loraRank: 1 },
      generator: new t.Generator('cpu', 1),
    });
    expect(tuned.parameters().reduce((n, p) => n + p.numel, 0)).toBeLessThan(all / 4);
    tuned.dispose();
  });
});
