/**
 * Ranks of one process, one after another: what all but the last would send is kept, and the last one gets the sum. So its
 * step is the real one of several processes, without them.
 */
import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { wireOptimizer } from '../optimizer.js';
import { type StepOptions, type StepResult, trainStep } from '../step.js';
import { StepLauncher } from '../step-launcher.js';
import { everyTermOptions as options, tinySession, withTeachers } from '../tiny-session.fixture.js';
import { type Adder, GradientSum } from './gradient-sum.js';

interface Outcome {
  readonly result: StepResult;
  readonly weights: Map<string, number[]>;
}

/** One step of `size` ranks, as the last of them ends it; with `launched` the way it is on a GPU. */
async function step(
  microBatches: readonly (readonly number[])[],
  size: number,
  more: Partial<StepOptions> & { readonly launched?: boolean } = {},
): Promise<Outcome> {
  const { launched = false, ...changes } = more;
  const sent: t.Tensor[] = [];
  const adder: Adder = {
    sum_(tensor) {
      for (const other of sent) t.add_(tensor, other);
      sent.length = 0;
      sent.push(t.keep(t.clone(tensor)));
      return () => {};
    },
  };
  let outcome: Outcome | undefined;
  for (let rank = 0; rank < size; rank++) {
    const { wire, data } = tinySession(7, 12, 2);
    const prepared = await withTeachers(data);
    const optimizer = wireOptimizer(wire, { lr: 1e-2, encoderLr: 1e-3, weightDecay: 0.01 });
    using gradients = new GradientSum(wire.parameters(), 'cpu', adder);
    using launcher = launched ? new StepLauncher(wire, { mode: 'rehearse', gather: gradients }) : null;
    const numbers = () => ({ stop: rank === 1 ? 1 : 0, clock: rank === 0 ? 0.25 : 0 });
    const shared = size === 1 ? undefined : { shard: { rank, size }, gradients, numbers };
    const result = trainStep(wire, prepared, optimizer, microBatches, {
      ...options,
      ...changes,
      launcher,
      shared,
    });
    outcome = { result, weights: new Map([...wire.stateDict()].map(([name, p]) => [name, p.toArray()])) };
  }
  return outcome!;
}

function expectSame(parts: Outcome, whole: Outcome): void {
  expect(parts.result.loss).toBeCloseTo(whole.result.loss, 5);
  expect(parts.result.gradNorm).toBeCloseTo(whole.result.gradNorm, 4);
  expect(parts.result.examples).toBe(whole.result.examples);
  for (const [name, value] of Object.entries(whole.result.terms)) {
    const other = parts.result.terms[name as keyof typeof whole.result.terms];
    if (value === null) expect(other).toBeNull();
    else expect(other, name).toBeCloseTo(value, 5);
  }
  for (const [name, values] of whole.weights) {
    const others = parts.weights.get(name)!;
    const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(value - others[i]!)), 0);
    expect(worst, name).toBeLessThan(2e-5);
  }
}

const BATCHES = [
  [0, 1, 2, 3, 4, 5, 6],
  [7, 8],
];

describe('a step of several ranks', () => {
  it.each([2, 3, 4])(
    'is the step of one with all examples: %i ranks, uneven parts, one without any',
    async (size) => {
      expectSame(await step(BATCHES, size), await step(BATCHES, 1));
    },
  );

  it('leaves alone what no rank has a gradient of, though one rank had no example', async () => {
    const one = { readers: [1] };
    expectSame(await step([[3]], 2, one), await step([[3]], 1, one));
  });

  it('is the same where gradients are gathered in place', async () => {
    expectSame(await step(BATCHES, 3, { launched: true }), await step(BATCHES, 1));
    const one = { readers: [0] };
    expectSame(await step(BATCHES, 2, { ...one, launched: true }), await step(BATCHES, 1, one));
  });

  it('tells every rank what was asked of any', async () => {
    const { result } = await step(BATCHES, 3);
    expect(result.agreed).toMatchObject({ stop: 1, clock: 0.25 });
    expect(result.tokens).toBeGreaterThan(0);
    expect((await step(BATCHES, 1)).result.agreed).toBeNull();
  });
});
