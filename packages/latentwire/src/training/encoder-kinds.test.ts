/** Every encoder and every division of the latents trains by the same step. */
import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { wireOptimizer } from './optimizer.js';
import { type StepOptions, trainStep } from './step.js';
import { tinySession } from './tiny-session.fixture.js';

const narrow = { 'encoder.width': 16, 'encoder.heads': 2, 'encoder.layers': 2 };
const kinds: [string, Readonly<Record<string, unknown>>][] = [
  ['lm', {}],
  ['lm by LoRA', { 'encoder.lora_rank': 2 }],
  ['byte', { ...narrow, 'encoder.type': 'byte' }],
  ['stq', { ...narrow, 'encoder.type': 'stq' }],
  ['lm, one latent per 2 tokens', { 'wire.latent_ratio': 2 }],
  ['lm, private latents', { 'wire.latent_shared_len': 2, 'wire.latent_private_len': 1 }],
  [
    'lm, linear adapter without calibration',
    { 'adapter.disable_adapter': true, 'adapter.disable_calibration': true },
  ],
];

const options: StepOptions = {
  maxGradNorm: 1,
  stage: {
    expansion: 1,
    weights: { alignment: 0.2, answer: 1, firstToken: 0, kToken: 0, kd: 0, manifold: 0, reconstruction: 0.5 },
  },
  k: 2,
};
const rates = { lr: 1e-2, encoderLr: 3e-3, weightDecay: 0.01 };
const batch = [[0, 1, 2, 3, 4, 5]];

describe.each(kinds)('trainStep with %s', (_, settings) => {
  it('lowers the loss, by the same losses each time, and keeps no tensor', () => {
    const run = (steps: number): number[] => {
      const { wire, data } = tinySession(7, 6, 2, settings);
      const optimizer = wireOptimizer(wire, rates);
      const losses = [trainStep(wire, data, optimizer, batch, options).loss];
      const live = t.liveTensors();
      while (losses.length < steps) losses.push(trainStep(wire, data, optimizer, batch, options).loss);
      expect(t.liveTensors()).toBe(live);
      return losses;
    };
    const losses = run(16);
    expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.95);
    expect(run(4)).toEqual(losses.slice(0, 4));
  });

  it('takes one reader alone, and leaves what belongs to the other as it was', () => {
    const { wire, data } = tinySession(7, 6, 2, settings);
    const optimizer = wireOptimizer(wire, rates);
    const values = (): Map<string, string> =>
      new Map([...wire.namedParameters()].map(([name, p]) => [name, p.toArray().join()]));
    const before = values();
    trainStep(wire, data, optimizer, batch, { ...options, readers: [1] });
    trainStep(wire, data, optimizer, batch, { ...options, readers: [1] });
    for (const [name, value] of values()) {
      const others = /^(?:adapters|encoder\.private)\.0\./.test(name);
      if (others) expect(value, name).toBe(before.get(name));
      else if (/^(?:adapters|encoder\.private)\.1\..*weight/.test(name)) {
        expect(value, name).not.toBe(before.get(name));
      }
    }
  });
});
