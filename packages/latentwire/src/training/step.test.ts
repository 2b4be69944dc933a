import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { encoderBatch } from '../wire/index.js';
import { wireOptimizer } from './optimizer.js';
import type { StageWeights } from './stages.js';
import { type StepOptions, type StepResult, trainStep } from './step.js';
import {
  everyTermOptions as options,
  tinySession,
  everyTerm as weights,
  withTeachers,
} from './tiny-session.fixture.js';

const rates = { lr: 1e-2, encoderLr: 1e-3, weightDecay: 0.01 };

interface Outcome {
  readonly weights: Map<string, number[]>;
  readonly last: StepResult;
}

async function after(
  microBatches: number[][],
  steps: number,
  changes: Partial<StepOptions> = {},
  readers = 1,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Outcome> {
  const { wire, data, models } = tinySession(7, 8, readers, settings);
  for (const model of models) model.recomputeLayers = settings['training.gradient_checkpointing'] === true;
  const prepared = await withTeachers(data);
  const optimizer = wireOptimizer(wire, rates);
  let last: StepResult | undefined;
  for (let i = 0; i < steps; i++) {
    last = trainStep(wire, prepared, optimizer, microBatches, { ...options, ...changes });
  }
  return { weights: new Map([...wire.stateDict()].map(([name, p]) => [name, p.toArray()])), last: last! };
}

const changed = (stage: Partial<StageWeights>): Partial<StepOptions> => ({
  stage: { expansion: 1, weights: { ...weights, ...stage } },
});

describe('trainStep', () => {
  it('adds micro-batches up to the gradient of the one big batch, uneven ones too', async () => {
    const whole = await after([[0, 1, 2, 3, 4, 5, 6]], 2, {}, 2);
    const parts = await after(
      [
        [0, 1, 2],
        [3, 4],
        [5, 6],
      ],
      2,
      {},
      2,
    );
    expect(parts.last.loss).toBeCloseTo(whole.last.loss, 5);
    for (const [name, value] of Object.entries(whole.last.terms)) {
      const other = parts.last.terms[name as keyof typeof parts.last.terms];
      if (value === null) expect(other).toBeNull();
      else expect(other).toBeCloseTo(value, 5);
    }
    for (const [name, values] of whole.weights) {
      const others = parts.weights.get(name)!;
      values.forEach((value, i) => {
        expect(Math.abs(others[i]! - value)).toBeLessThan(2e-5);
      });
    }
  });

  it('repeats a text of several questions once where that is asked for', () => {
    const { data } = tinySession(7, 8);
    const [reader] = data.readers;
    const even = <T>(items: readonly T[]): T[] => items.map((_, i) => items[i - (i % 2)]!);
    const repeat = { ...reader!.repeat!, targets: even(reader!.repeat!.targets) };
    const shared = { ...data, contexts: even(data.contexts), readers: [{ ...reader!, repeat }] };
    const reading = {
      alignment: 0,
      answer: 0,
      firstToken: 0,
      kToken: 0,
      kd: 0,
      manifold: 0,
      reconstruction: 1,
    };
    const run = (microBatches: number[][], readOnce: boolean): [number, number[][]] => {
      const { wire } = tinySession(7, 8);
      const step = {
        ...options,
        continues: () => false,
        readOnce,
        stage: { expansion: 1, weights: reading },
      };
      const { loss } = trainStep(wire, shared, wireOptimizer(wire, rates), microBatches, step);
      return [loss, [...wire.stateDict().values()].map((p) => p.toArray())];
    };
    const once = run([[0, 2, 4, 6]], false);
    expect(run([[0, 1, 2, 3, 4, 5, 6, 7]], true)).toEqual(once);
    // Texts of one micro-batch only; here 0 | 1 is read twice.
    expect(
      run(
        [
          [0, 2, 3],
          [1, 4, 5, 6],
        ],
        true,
      )[0],
    ).not.toBeCloseTo(once[0], 4);
  });

  it.each([
    ['all weights of the encoder', {}],
    ['LoRA', { 'encoder.lora_rank': 2 }],
    [
      'learned queries over a frozen encoder',
      { 'encoder.type': 'stq', 'encoder.width': 16, 'encoder.heads': 2 },
    ],
    ['private latents', { 'wire.latent_private_len': 1 }],
  ])('computes the same when layers are computed again for the gradient: %s', async (_, settings) => {
    const batches = [
      [0, 1, 2, 3],
      [4, 5, 6],
    ];
    const plain = await after(batches, 3, {}, 2, settings);
    const again = await after(batches, 3, {}, 2, { ...settings, 'training.gradient_checkpointing': true });
    // A sum of three gradients may be made in another order: bytes differ by rounding.
    expect(again.last.loss).toBeCloseTo(plain.last.loss, 5);
    for (const [name, values] of plain.weights) {
      const others = again.weights.get(name)!;
      const worst = Math.max(...values.map((value, i) => Math.abs(value - others[i]!)));
      expect(worst, name).toBeLessThan(2e-5);
    }
  });

  it('gives the same bytes when it is run again', async () => {
    expect(await after([[0, 1, 2, 3]], 3)).toEqual(await after([[0, 1, 2, 3]], 3));
  });

  it('reports as loss the weighted sum of its terms', async () => {
    const { loss, terms } = (await after([[0, 1, 2, 3]], 1)).last;
    const sum =
      terms.answer_loss! +
      0.3 * terms.first_token_loss! +
      0.2 * terms.k_token_loss! +
      0.4 * terms.kd_loss! +
      0.2 * terms.alignment_loss! +
      0.5 * terms.reconstruction_loss!;
    expect(loss).toBeCloseTo(sum, 6);
    expect(terms.manifold_loss).toBeNull();
  });

  it.each(['alignment', 'firstToken', 'kToken', 'kd', 'reconstruction'] as const)(
    'trains other weights without the term %s, and reports none where it is not computed',
    async (term) => {
      const without = await after([[0, 1, 2, 3]], 2, changed({ [term]: 0 }));
      expect(without.weights).not.toEqual((await after([[0, 1, 2, 3]], 2)).weights);
      const reported = {
        alignment: without.last.terms.alignment_loss,
        kd: without.last.terms.kd_loss,
        reconstruction: without.last.terms.reconstruction_loss,
      };
      if (term in reported) expect(reported[term as keyof typeof reported]).toBeNull();
    },
  );

  it('needs no teacher when distillation is off', () => {
    const { wire, data } = tinySession(7, 8);
    const optimizer = wireOptimizer(wire, rates);
    const off = { ...options, ...changed({ kd: 0 }) };
    expect(trainStep(wire, data, optimizer, [[0, 1]], off).terms.kd_loss).toBeNull();
    expect(() => trainStep(wire, data, optimizer, [[0, 1]], options)).toThrow(/'kd'/);
  });

  it('changes the K-token term and nothing else when K changes', async () => {
    const [two, one] = [await after([[0, 1, 2, 3]], 1), await after([[0, 1, 2, 3]], 1, { k: 1 })];
    expect(one.last.terms.k_token_loss).not.toBe(two.last.terms.k_token_loss);
    // Of one token, it is the first-token term.
    expect(one.last.terms.k_token_loss).toBeCloseTo(one.last.terms.first_token_loss!, 6);
    expect(one.last.terms.answer_loss).toBe(two.last.terms.answer_loss);
    expect(one.weights).not.toEqual(two.weights);
  });

  it('continues a context from the latents of its first part where it is told to', async () => {
    const repeats = await after([[0, 1, 2, 3]], 1, { continues: () => false });
    const continues = await after([[0, 1, 2, 3]], 1, { continues: () => true });
    expect(continues.last.terms.reconstruction_loss).not.toBe(repeats.last.terms.reconstruction_loss);
    expect(continues.last.terms.answer_loss).toBeCloseTo(repeats.last.terms.answer_loss!, 6);
    expect(continues.last.targetTokens).toBeLessThan(repeats.last.targetTokens);
    // With no answers in the step, first parts are sent in place of the contexts.
    const alone = { answer: 0, firstToken: 0, kToken: 0, kd: 0, alignment: 0 };
    const reading = await after([[0, 1, 2, 3]], 1, { ...changed(alone), continues: () => true });
    expect(reading.last.terms.reconstruction_loss).toBeCloseTo(continues.last.terms.reconstruction_loss!, 5);
    expect(reading.last.tokens).toBeLessThan(continues.last.tokens);
  });

  it('trains the adapters of the readers of the step only', async () => {
    const start = tinySession(7, 8, 2).wire.stateDict();
    const one = await after([[0, 1, 2, 3]], 1, { readers: [1] }, 2);
    for (const [name, tensor] of start) {
      const same = tensor.toArray().every((value, i) => one.weights.get(name)![i] === value);
      if (name.startsWith('adapters.0.')) expect(same, name).toBe(true);
      if (name === 'adapters.1.map.mlp.up.weight') expect(same, name).toBe(false);
    }
    const both = await after([[0, 1, 2, 3]], 1, {}, 2);
    const other = await after([[0, 1, 2, 3]], 1, { readers: [0] }, 2);
    expect(both.last.loss).toBeCloseTo((one.last.loss + other.last.loss) / 2, 5);
  });

  it('leaves the size of a prefix to losses that read it: directions say nothing of it', async () => {
    const start = tinySession(7, 8).wire.adapters[0]!.scale.item();
    const alone = { answer: 0, firstToken: 0, kToken: 0, kd: 0, reconstruction: 0 };
    const aligned = await after([[0, 1, 2, 3]], 30, { ...changed({ ...alone, alignment: 1 }) });
    expect(aligned.last.loss).toBeLessThan(1.5);
    expect(aligned.weights.get('adapters.0.scale')).toEqual([start]);
    const reading = await after([[0, 1, 2, 3]], 1, { ...changed({ ...alone, reconstruction: 1 }) });
    expect(reading.weights.get('adapters.0.scale')).not.toEqual([start]);
  });

  it('lowers the loss and leaves the frozen model untouched, without gradients', () => {
    const { wire, data, reader } = tinySession(7, 8);
    const optimizer = wireOptimizer(wire, rates);
    const before = reader.model.weights.embed.toArray();
    const batch = [[0, 1, 2, 3, 4, 5, 6, 7]];
    const plain: StepOptions = { ...options, ...changed({ kd: 0 }), continues: () => false };
    const first = trainStep(wire, data, optimizer, batch, plain).loss;
    let last = first;
    for (let i = 0; i < 60; i++) last = trainStep(wire, data, optimizer, batch, plain).loss;
    expect(last).toBeLessThan(first * 0.6);
    expect(reader.model.weights.embed.toArray()).toEqual(before);
    expect(reader.model.weights.embed.grad).toBeNull();
  });

  it('keeps the number of live tensors constant', async () => {
    const { wire, data } = tinySession(7, 8);
    const prepared = await withTeachers(data);
    const optimizer = wireOptimizer(wire, rates);
    trainStep(wire, prepared, optimizer, [[0, 1, 2, 3]], options);
    const live = t.liveTensors();
    for (let i = 0; i < 20; i++) trainStep(wire, prepared, optimizer, [[0, 1, 2, 3]], options);
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
