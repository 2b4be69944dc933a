import { describe, expect, it } from 'vitest';
import * as t from '../index.js';

const random = (shape: number[], device: t.Device, dtype: t.DType, seed: number): t.Tensor =>
  t.randn(shape, { generator: new t.Generator('cpu', seed) }).to({ device, dtype });

/** Values and gradients of the inputs under a loss that weighs every output element differently. */
function run(inputs: t.Tensor[], body: (...x: t.Tensor[]) => t.Tensor[]): Float32Array[] {
  return t.scope(() => {
    const leaves = inputs.map((x) => x.detach().to({ copy: true }).setRequiresGrad());
    const outputs = body(...leaves);
    const terms = outputs.map((y, i) => {
      const wide = y.to({ dtype: 'float32' });
      const weights = t.cos(t.arange(i, i + wide.numel, 1, { dtype: 'float32', device: wide.device }));
      return t.sum(t.mul(t.reshape(wide, [-1]), weights));
    });
    t.backward(terms.reduce((a, b) => t.add(a, b)));
    return [...outputs, ...leaves.map((x) => x.grad!)].map((x) => x.toFloat32Array());
  });
}

function worst(a: Float32Array[], b: Float32Array[]): number {
  let error = 0;
  a.forEach((x, i) => {
    const size = Math.sqrt(x.reduce((s, v) => s + v * v, 0) / x.length);
    x.forEach((v, j) => {
      error = Math.max(error, Math.abs(v - b[i]![j]!) / size);
    });
  });
  return error;
}

interface Case {
  readonly name: string;
  readonly shapes: number[][];
  readonly body: (device: t.Device, dtype: t.DType) => (...x: t.Tensor[]) => t.Tensor[];
}

const angles = (device: t.Device, dtype: t.DType, rows: number[], d: number): [t.Tensor, t.Tensor] => [
  random([...rows, 1, d], device, dtype, 8),
  random([...rows, 1, d], device, dtype, 9),
];

const CASES: Case[] = [
  ...(['silu', 'gelu_tanh'] as const).map(
    (activation): Case => ({
      name: `gatedActivation ${activation}`,
      shapes: [[3, 5, 48]],
      body: () => (x) => [t.nn.gatedActivation(x!, activation)],
    }),
  ),
  ...([1, 2] as const).map(
    (batch): Case => ({
      name: `rotarySplit, angles of ${batch} row(s)`,
      shapes: [[2, 5, 6 + 2 * 2, 32]],
      body: (device, dtype) => {
        const [cos, sin] = angles(device, dtype, [batch, 5], 32);
        return (qkv) => t.nn.rotarySplit(qkv!, cos, sin, 6, 2);
      },
    }),
  ),
  ...(['float32', 'same'] as const).flatMap((kind): Case[] => [
    {
      name: `addNorm, weight ${kind}`,
      shapes: [
        [3, 4, 72],
        [3, 4, 72],
      ],
      body: (device, dtype) => {
        const weight = random([72], device, kind === 'same' ? dtype : 'float32', 7);
        return (x, a) => t.nn.addNorm(x!, a!, weight, 1e-6);
      },
    },
    {
      name: `addNorm of one tensor, weight ${kind}`,
      shapes: [[3, 4, 2048]],
      body: (device, dtype) => {
        const weight = random([2048], device, kind === 'same' ? dtype : 'float32', 7);
        return (x) => t.nn.addNorm(x!, null, weight, 1e-6).slice(1);
      },
    },
  ]),
];

describe('the element-wise stretches of a decoder layer', () => {
  it('gate, rotate and normalise as their formulas say', () => {
    t.scope(() => {
      const x = t.tensor([[1, -2, 3, 4]]);
      const silu = (v: number): number => v / (1 + Math.exp(-v));
      expect(t.nn.gatedActivation(x, 'silu').toArray()).toEqual(
        [silu(1) * 3, silu(-2) * 4].map((v) => expect.closeTo(v, 5)),
      );
      const [sum, normed] = t.nn.addNorm(t.tensor([[1, 2]]), t.tensor([[2, 2]]), t.tensor([1, 10]), 0);
      expect(sum.toArray()).toEqual([3, 4]);
      expect(normed.toArray()).toEqual(
        [3 / Math.sqrt(12.5), 40 / Math.sqrt(12.5)].map((v) => expect.closeTo(v, 5)),
      );
      // A quarter turn: (a, b) -> (-b, a).
      const qkv = t.tensor([
        [
          [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
        ],
      ]);
      const [q, k, v] = t.nn.rotarySplit(qkv, t.tensor([[[[0, 0]]]]), t.tensor([[[[-1, 1]]]]), 1, 1);
      expect([q.toArray(), k.toArray(), v.toArray()]).toEqual([
        [-2, 1],
        [-4, 3],
        [5, 6],
      ]);
      expect([q.shape, k.shape]).toEqual([
        [1, 1, 1, 2],
        [1, 1, 1, 2],
      ]);
    });
  });

  describe.skipIf(!t.cudaIsAvailable())('as one CUDA kernel', () => {
    for (const { name, shapes, body } of CASES) {
      for (const [dtype, limit] of [
        ['float32', 1e-5],
        ['bfloat16', 0.04],
        ['float16', 0.005],
      ] as const) {
        it(`${name}, ${dtype}: values and gradients of torch's operators`, () => {
          t.scope(() => {
            const inputs = shapes.map((shape, i) => random(shape, 'cuda', dtype, i));
            const f = body('cuda', dtype);
            const fused = run(inputs, f);
            const before = t.nn.setFusedKernels(false);
            const plain = run(inputs, f);
            t.nn.setFusedKernels(before);
            expect(worst(plain, fused)).toBeLessThan(limit);
          });
        });
      }
    }
  });
});
