import { describe, expect, it } from 'vitest';
import * as t from '../index.js';

const devices: t.Device[] = t.cudaDeviceCount() > 0 ? ['cpu', 'cuda'] : ['cpu'];

describe.each(devices)('nllGradient_ on %s', (device) => {
  /** Values and gradients from torch's own operators on the same rounded logits, in float64. */
  function expected(logits: t.Tensor, targets: t.Tensor): [number[], number[]] {
    const leaf = logits.to({ dtype: 'float64', copy: true }).detach().setRequiresGrad();
    const nll = t.crossEntropy(leaf, targets, { reduction: 'none' });
    t.backward(t.sum(nll));
    return [nll.toArray(), leaf.grad!.toArray()];
  }

  // The vocabulary of Gemma 3, one that is no multiple of 8, one smaller than a block has threads.
  it.each([
    ['float32', 3, 262_144, 1e-5],
    ['bfloat16', 5, 262_144, 2 ** -8],
    ['float16', 4, 49_152, 2 ** -11],
    ['bfloat16', 7, 1_003, 2 ** -8],
    ['float32', 6, 40, 1e-5],
  ] as const)('is the cross-entropy and its gradient: %s [%i, %i]', (dtype, rows, width, rounding) => {
    t.scope(() => {
      const generator = new t.Generator('cpu', 5);
      const logits = t.mul(t.randn([rows, width], { generator }), 4).to({ device, dtype });
      const ids = Array.from({ length: rows }, (_, i) => [width - 1, 0, 8, 13][i % 4]!);
      const targets = t.tensor(ids, { dtype: 'int64' }).to({ device });
      // A target that is all but certain: what is left is far below 1.
      t.fill_(t.narrow(t.select(logits, 0, 1), 0, 0, 1), 40);
      const [losses, gradient] = expected(logits, targets);
      const nll = t.noGrad(() => t.nn.nllGradient_(logits, targets));
      expect(nll.dtype).toBe('float32');
      nll.toArray().forEach((value, i) => {
        expect(Math.abs(value - losses[i]!)).toBeLessThan(1e-5 * (1 + losses[i]!));
      });
      logits.toArray().forEach((g, i) => {
        const allowed = rounding * Math.abs(gradient[i]!) + 1e-6;
        if (Math.abs(g - gradient[i]!) > allowed) expect(g, `place ${i}`).toBe(gradient[i]);
      });
    });
  });

  it('stays finite where a target is impossible, and takes no rows', () => {
    t.scope(() => {
      const logits = t.tensor([[80, ...new Array(7).fill(-3e4)]], {}).to({ device });
      const nll = t.nn.nllGradient_(logits, t.tensor([3], { dtype: 'int64' }).to({ device }));
      expect(nll.toArray()).toEqual([30_080]);
      expect(logits.toArray()).toEqual([1, 0, 0, -1, 0, 0, 0, 0]);
      const none = t.zeros([0, 8], { device });
      expect(t.nn.nllGradient_(none, t.zeros([0], { dtype: 'int64', device })).shape).toEqual([0]);
    });
  });

  it('names shapes that do not go together', () => {
    t.scope(() => {
      const logits = t.zeros([2, 8], { device });
      expect(() => t.nn.nllGradient_(logits, t.zeros([3], { dtype: 'int64', device }))).toThrow(
        /logits \[N, V\] and int64 targets \[N\], got \[2, 8\] and Long \[3\]/,
      );
    });
  });
});
