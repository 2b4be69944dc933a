import * as t from '@latentwire/torch';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixedStep, PRECISIONS, quantisation } from './quantisation.js';
import { dequantise, quantise } from './quantise.js';
import { Quantiser } from './quantiser.js';

const patterns = (values: Float32Array): number[] => [...new Uint32Array(values.slice().buffer)];

const devices: readonly t.Device[] = t.cudaIsAvailable() ? ['cpu', 'cuda'] : ['cpu'];

describe('Quantiser', () => {
  it.each(devices)(
    'gives in training on %s what the receiver reconstructs, bit for bit (property)',
    (device) => {
      const values = fc.array(
        fc.oneof(
          { weight: 4, arbitrary: fc.float({ min: -5, max: 5, noNaN: true }) },
          { weight: 1, arbitrary: fc.float({ min: -70_000, max: 70_000, noNaN: true }) },
          { weight: 1, arbitrary: fc.constantFrom(0, -0, Math.fround(1e-6), Math.fround(-3e-5)) },
        ),
        { minLength: 60, maxLength: 60 },
      );
      fc.assert(
        fc.property(
          values,
          fc.constantFrom(...PRECISIONS),
          fc.constantFrom(0, 1, 4, 7, 32, 100),
          (list, bits, group) => {
            const q = quantisation(bits, group);
            const rows = [list.slice(0, 30), list.slice(30)].map((row) => Float32Array.from(row));
            t.scope(() => {
              const z = t.fromTypedArray(Float32Array.from(list), [2, 5, 6], { device });
              const trained = new Quantiser(q).forward(z).toFloat32Array();
              // − 0 is kept by 16 and 32 bits only in messages; it reads as 0 and makes no difference.
              const received = rows
                .flatMap((row) => [...dequantise(quantise(row, 6, q), 6, q)])
                .map((v) => v + 0);
              expect(patterns(trained.map((v) => v + 0))).toEqual(patterns(Float32Array.from(received)));
            });
          },
        ),
        { numRuns: 400 },
      );
    },
  );

  it('does not let vectors influence each other, so that batch and padding change nothing', () => {
    t.scope(() => {
      const z = t.randn([3, 2, 10]);
      const quantiser = new Quantiser(quantisation(4, 8));
      const together = t.view(quantiser.forward(z), [6, 10]);
      const vectors = t.reshape(z, [6, 1, 1, 10]);
      for (let i = 0; i < 6; i++) {
        const alone = quantiser.forward(t.select(vectors, 0, i));
        expect(alone.toArray()).toEqual(t.select(together, 0, i).toArray());
      }
    });
  });

  it('passes gradients straight through', () => {
    for (const [bits, group] of [
      [32, 0],
      [16, 0],
      [8, 4],
      [4, 32],
      [4, 0],
    ] as const) {
      t.scope(() => {
        const z = t.fromTypedArray(Float32Array.from([0.3, -0.6, 1.1, 0.01]), [1, 2, 2]).setRequiresGrad();
        const weights = t.fromTypedArray(Float32Array.from([1, -2, 3, 0.5]), [1, 2, 2]);
        t.backward(t.sum(t.mul(new Quantiser(quantisation(bits, group)).forward(z), weights)));
        expect(z.grad!.toArray()).toEqual([1, -2, 3, 0.5]);
      });
    }
  });

  it('gives no gradient to values that clip, and the whole of it to those that do not', () => {
    t.scope(() => {
      const limit = 8 * fixedStep(4);
      const z = t.fromTypedArray(Float32Array.from([limit + 0.1, -limit - 2, limit - 0.01]), [1, 1, 3]);
      z.setRequiresGrad();
      t.backward(t.sum(new Quantiser(quantisation(4, 0)).forward(z)));
      expect(z.grad!.toArray()).toEqual([0, 0, 1]);
    });
  });

  it('shows broken latents instead of hiding them', () => {
    t.scope(() => {
      for (const group of [0, 2]) {
        const z = t.fromTypedArray(Float32Array.from([Number.NaN, 1]), [1, 1, 2]);
        expect(new Quantiser(quantisation(4, group)).forward(z).toArray()[0]).toBeNaN();
      }
    });
  });

  it('leaves no tensors behind', () => {
    const quantiser = new Quantiser(quantisation(4, 32));
    const z = t.randn([2, 3, 40]);
    const before = t.liveTensors();
    t.scope(() => void quantiser.forward(z));
    expect(t.liveTensors()).toBe(before);
    z.dispose();
  });
});
