import { describe, expect, it } from 'vitest';
import * as t from '../index.js';

const devices: t.Device[] = t.cudaDeviceCount() > 0 ? ['cpu', 'cuda'] : ['cpu'];

describe.each(devices)('castAll on %s', (device) => {
  const generator = new t.Generator('cpu', 3);
  const leaves = (dtype: t.DType): t.Tensor[] =>
    [[4, 3], [5], [], [2, 1, 3]].map((shape) => t.randn(shape, { generator }).to({ device, dtype }).detach());

  it.each([
    ['float32', 'bfloat16'],
    ['bfloat16', 'float32'],
    ['float32', 'float32'],
  ] as const)('has the values and gradients of a cast one by one: %s to %s', (from, to) => {
    t.scope(() => {
      const run = (cast: (weights: t.Tensor[]) => t.Tensor[], weights: t.Tensor[]): number[][] => {
        for (const w of weights) w.setRequiresGrad();
        const made = cast(weights);
        expect(made.every(({ dtype }) => dtype === to)).toBe(true);
        // Gradients arrive in other strides too, and one tensor is not used.
        const terms = made
          .slice(0, 3)
          .map((x) => t.sum(t.square(x.shape.length === 2 ? t.matmul(t.transpose(x, 0, 1), x) : x)));
        t.backward(terms.reduce((a, b) => t.add(a, b)));
        return [...made.map((x) => x.toArray()), ...weights.map((w) => w.grad?.toArray() ?? [])];
      };
      const weights = leaves(from);
      const copies = weights.map((w) => w.to({ copy: true }));
      const together = run((all) => t.castAll(all, to), weights);
      const alone = run((all) => all.map((w) => w.to({ dtype: to })), copies);
      expect(together).toEqual(alone);
      expect(weights[3]!.grad).toBeNull();
    });
  });

  it('adds to gradients that are there, and makes no graph without them', () => {
    t.scope(() => {
      const [w] = leaves('float32');
      w!.setRequiresGrad();
      t.optim.allocateGradients([w!]);
      for (let i = 0; i < 2; i++) t.backward(t.sum(t.castAll([w!], 'bfloat16')[0]!));
      expect(w!.grad!.toArray()).toEqual(Array(12).fill(2));
      expect(t.noGrad(() => t.castAll([w!], 'bfloat16')[0]!.requiresGrad)).toBe(false);
    });
  });

  it('names what it cannot take', () => {
    t.scope(() => {
      expect(t.castAll([], 'bfloat16')).toEqual([]);
      const mixed = [t.zeros([2], { device }), t.zeros([2], { device }).to({ dtype: 'bfloat16' })];
      expect(() => t.castAll(mixed, 'float32')).toThrow(/tensors of one type, got Float and BFloat16/);
    });
  });
});
