import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { encoderBatch } from '../wire/index.js';
import { wireOptimizer } from './optimizer.js';
import { trainStep } from './step.js';
import { LATENTS, tinySession } from './tiny-session.fixture.js';

const options = {
  maxGradNorm: 1,
  stage: { latents: LATENTS, weights: { alignment: 0.2, answer: 1, reconstruction: 0.5 } },
};
const rates = { lr: 1e-2, encoderLr: 1e-3, weightDecay: 0.01 };

function weightsAfter(microBatches: number[][], steps: number): { weights: number[][]; loss: number } {
  const { wire, data } = tinySession(7, 8);
  const optimizer = wireOptimizer(wire, rates);
  let loss = 0;
  for (let i = 0; i < steps; i++) loss = trainStep(wire, data, optimizer, microBatches, options).loss;
  return { weights: wire.parameters().map((p) => p.toArray()), loss };
}

describe('trainStep', () => {
  it('adds micro-batches up to the gradient of the one big batch, uneven ones too', () => {
    const whole = weightsAfter([[0, 1, 2, 3, 4, 5, 6]], 2);
    const parts = weightsAfter(
      [
        [0, 1, 2],
        [3, 4],
        [5, 6],
      ],
      2,
    );
    expect(parts.loss).toBeCloseTo(whole.loss, 5);
    whole.weights.forEach((values, p) => {
      values.forEach((value, i) => {
        expect(Math.abs(parts.weights[p]![i]! - value)).toBeLessThan(2e-5);
      });
    });
  });

  it('gives the same bytes when it is run again', () => {
    expect(weightsAfter([[0, 1, 2, 3]], 3)).toEqual(weightsAfter([[0, 1, 2, 3]], 3));
  });

  it('lowers the loss and leaves the frozen model untouched, without gradients', () => {
    const { wire, data, reader } = tinySession(7, 8);
    const optimizer = wireOptimizer(wire, rates);
    const before = reader.model.weights.embed.toArray();
    const batch = [[0, 1, 2, 3, 4, 5, 6, 7]];
    const first = trainStep(wire, data, optimizer, batch, options).loss;
    let last = first;
    for (let i = 0; i < 60; i++) last = trainStep(wire, data, optimizer, batch, options).loss;
    expect(last).toBeLessThan(first * 0.6);
    expect(reader.model.weights.embed.toArray()).toEqual(before);
    expect(reader.model.weights.embed.grad).toBeNull();
  });

  it('keeps the number of live tensors constant', () => {
    const { wire, data } = tinySession(7, 8);
    const optimizer = wireOptimizer(wire, rates);
    trainStep(wire, data, optimizer, [[0, 1, 2, 3]], options);
    const live = t.liveTensors();
    for (let i = 0; i < 20; i++) trainStep(wire, data, optimizer, [[0, 1, 2, 3]], options);
    expect(t.liveTensors()).toBe(live);
  });
});

describe('LmEncoder', () => {
  it("makes an example's latents independent of its batch-mates", () => {
    const { wire, data } = tinySession(7, 8);
    t.scope(() => {
      const together = wire.encode(encoderBatch(data.contexts));
      data.contexts.forEach((ids, i) => {
        const alone = wire.encode(encoderBatch([ids]));
        const difference = t.max(t.abs(t.sub(t.narrow(together, 0, i, 1), alone))).item();
        expect(difference).toBeLessThan(1e-5);
      });
    });
  });
});
