import { afterAll, describe, expect, it } from 'vitest';
import * as t from './index.js';

const generator = new t.Generator('cpu', 3);
const values = (...shape: number[]): t.Tensor => t.keep(t.randn(shape, { generator }));
const made: t.Tensor[] = [];
const parameter = (...shape: number[]): t.Tensor => {
  const p = values(...shape).setRequiresGrad();
  made.push(p);
  return p;
};
afterAll(() => {
  for (const p of made) p.dispose();
});

const [w1, w2, x, frozen] = [parameter(6, 5), parameter(5, 6), parameter(3, 5), values(5)];

type Run = (body: () => t.Tensor[]) => t.Tensor[];
const plainly: Run = (body) => body();

/** A block with a residual, a list of tensors, several results, and what is used twice. */
function block(input: t.Tensor, run: Run): t.Tensor[] {
  return run(() => {
    const hidden = t.silu(t.linear(input, w1));
    const [a, b] = t.chunk(t.cat([hidden, t.mul(hidden, 0.5)], 1), 2, 1);
    const mixed = t.add(t.linear(t.add(a!, b!), w2), t.mul(input, frozen));
    return [mixed, t.sum(hidden, 1)];
  });
}

/** Gradients of everything that wants one, after three blocks. */
function gradients(run: Run, twice = false): number[][] {
  return t.scope(() => {
    t.zeroGrad(made);
    let [stream, sums]: t.Tensor[] = [t.mul(x, 2), t.zeros([3])];
    for (let i = 0; i < 3; i++) {
      const [next, sum] = block(stream!, run);
      [stream, sums] = [next!, t.add(sums!, sum!)];
    }
    const loss = t.add(t.mean(t.square(stream!)), t.mean(sums!));
    t.backward(loss, null, { retainGraph: twice });
    if (twice) t.backward(loss);
    return [[loss.item()], ...made.map((p) => p.grad!.toArray())];
  });
}

describe('a recomputed stretch', () => {
  it('has the value and the gradients of a plain one, to the bit', () => {
    expect(gradients(t.recomputed)).toEqual(gradients(plainly));
    expect(gradients(t.recomputed, true)).toEqual(gradients(plainly, true));
  });

  it('takes part in t.grad, and gives null where there is no path', () => {
    t.scope(() => {
      const [out, sum] = block(x, t.recomputed);
      expect(t.grad([t.sum(out!)], [x, w2], { retainGraph: true })[1]!.shape).toEqual([5, 6]);
      expect(t.grad([t.sum(sum!)], [w2])).toEqual([null]);
    });
  });

  it('keeps nothing but results and inputs, frees them after backward, and leaks no tensor', () => {
    const before = t.liveTensors();
    for (let i = 0; i < 3; i++) gradients(t.recomputed);
    t.zeroGrad(made);
    expect(t.liveTensors()).toBe(before);
  });

  it('is a plain scope where no gradient is asked for', () => {
    t.scope(() => {
      expect(t.noGrad(() => block(x, t.recomputed))[0]!.requiresGrad).toBe(false);
      const [out] = t.recomputed(() => [t.mul(frozen, 2)]);
      expect(out!.requiresGrad).toBe(false);
    });
  });

  it('is over after an error inside, which comes through', () => {
    expect(() =>
      t.recomputed(() => {
        t.mul(x, 2);
        throw new Error('own');
      }),
    ).toThrow('own');
    expect(() =>
      t.recomputed(() => [t.linear(x, frozen), t.linear(x, x)].map((y) => t.linear(y, w1))),
    ).toThrow(t.TorchError);
    expect(gradients(t.recomputed)).toEqual(gradients(plainly));
  });

  it('refuses what it cannot do: nesting, a second backward of a freed graph, inputs that were changed', () => {
    t.scope(() => {
      expect(() => t.recomputed(() => t.enableGrad(() => t.recomputed(() => [t.mul(x, 2)])))).toThrow(
        /nested/,
      );
      const [out] = block(x, t.recomputed);
      const loss = t.sum(out!);
      t.backward(loss);
      expect(() => t.backward(loss)).toThrow();
      const input = t.mul(x, 2);
      const [changed] = block(input, t.recomputed);
      t.noGrad(() => t.mul_(input, 2));
      expect(() => t.backward(t.sum(changed!))).toThrow(/changed in place/);
    });
  });

  it('can be recorded and walked like any other work', () => {
    using steps = new t.cuda.RecordedSteps({ mode: 'rehearse' });
    const results = [0, 1, 2].map(() => {
      t.zeroGrad(made);
      steps.run('k', () => t.scope(() => t.backward(t.sum(block(x, t.recomputed)[0]!))));
      return made.map((p) => p.grad!.toArray());
    });
    expect(results[2]).toEqual(results[0]);
    expect(steps.counts).toMatchObject({ launched: 1, mismatches: 0 });
  });
});
