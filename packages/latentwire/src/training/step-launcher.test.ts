import type * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { wireOptimizer } from './optimizer.js';
import type { PreparedData } from './prepare.js';
import { type StepOptions, trainStep } from './step.js';
import { StepLauncher } from './step-launcher.js';
import { tinySession, everyTerm as weights, withTeachers } from './tiny-session.fixture.js';

const rates = { lr: 1e-4, encoderLr: 1e-5, weightDecay: 0.01 };
const MULTIPLES = { texts: 8, positions: 8, targets: 16, rows: 3 };

interface Variant {
  readonly readOnce?: boolean;
  readonly computeDtype?: t.FloatDType;
}

/** Weights and losses after some steps on changing examples, with changing weights of the terms. */
async function run(
  launched: boolean,
  readers: number,
  settings: Record<string, unknown> = {},
  { readOnce = false, computeDtype = 'float32' }: Variant = {},
) {
  const { wire, data, models } = tinySession(7, 24, readers, settings, computeDtype);
  for (const model of models) model.recomputeLayers = settings['training.gradient_checkpointing'] === true;
  const prepared = await withTeachers(readOnce ? { ...data, ...sharedTexts(data) } : data);
  const optimizer = wireOptimizer(wire, rates);
  using launcher = new StepLauncher(wire, { mode: 'rehearse', multiples: MULTIPLES });
  if (!launched) for (const p of wire.parameters()) p.grad = null;
  const losses: number[] = [];
  for (let step = 0; step < 12; step++) {
    const microBatches = [0, 1].map((g) => [0, 1, 2, 3].map((i) => (step * 8 + g * 4 + i * 5) % 24));
    const options: StepOptions = {
      maxGradNorm: 1,
      stage: { expansion: 1, weights: { ...weights, reconstruction: 0.5 + step / 20, kd: 0.4 + step / 40 } },
      k: 2,
      continues: (i) => i % 3 === 0 && !readOnce,
      readOnce,
      ...(readers > 1 && step % 3 === 0 ? { readers: [step % 2] } : {}),
      launcher: launched ? launcher : null,
    };
    losses.push(trainStep(wire, prepared, optimizer, microBatches, options).loss);
  }
  const parameters = new Map(
    [...wire.stateDict()].map(([name, p]: [string, t.Tensor]) => [name, p.toArray()]),
  );
  return { losses, parameters, counts: launcher.steps.counts };
}

/** Two questions on each text. */
function sharedTexts({ contexts, readers }: PreparedData): Pick<PreparedData, 'contexts' | 'readers'> {
  const even = <T>(items: readonly T[]): T[] => items.map((_, i) => items[i - (i % 2)]!);
  return {
    contexts: even(contexts),
    readers: readers.map((reader) => ({
      ...reader,
      texts: even(reader.texts!),
      repeat: { ...reader.repeat!, targets: even(reader.repeat!.targets) },
    })),
  };
}

describe('a launched step', () => {
  it('leaves scales to later steps while there is nothing but alignment', () => {
    const { wire, data } = tinySession(7, 24);
    const optimizer = wireOptimizer(wire, rates);
    using launcher = new StepLauncher(wire, { mode: 'rehearse', multiples: MULTIPLES });
    const off = { answer: 0, firstToken: 0, kToken: 0, kd: 0 };
    const { scale } = wire.adapters[0]!;
    const after = (changes: Partial<typeof weights>): number => {
      const stage = { expansion: 1, weights: { ...weights, ...off, ...changes } };
      trainStep(wire, data, optimizer, [[0, 1, 2, 3]], {
        ...{ maxGradNorm: 1, stage, k: 2, continues: () => false, launcher },
      });
      return scale.item();
    };
    const start = scale.item();
    for (let step = 0; step < 20; step++) expect(after({ reconstruction: 0 })).toBe(start);
    // The first step of Adam, not one that follows twenty without a gradient.
    expect(Math.abs(after({}) - start)).toBeCloseTo(rates.lr, 6);
    wire.dispose();
  });

  it.each<[string, number, Record<string, unknown>, Variant?]>([
    ['one reader', 1, {}],
    ['two readers, all or one per step', 2, {}],
    ['private latents', 2, { 'wire.latent_private_len': 1 }],
    ['int8 latents', 1, { 'wire.bits': 8 }],
    ['layers computed again', 1, { 'training.gradient_checkpointing': true }],
    ['texts of several questions, each repeated once', 1, {}, { readOnce: true }],
    ['an encoder in bfloat16', 1, {}, { computeDtype: 'bfloat16' }],
  ])('is fit to be captured and trains as a plain one does: %s', async (_, readers, settings, variant) => {
    const plain = await run(false, readers, settings, variant);
    const launched = await run(true, readers, settings, variant);
    expect(launched.counts.mismatches).toBe(0);
    expect(launched.counts.launched).toBeGreaterThan(4);
    launched.losses.forEach((loss, i) => {
      expect(loss).toBeCloseTo(plain.losses[i]!, 3);
    });
    for (const [name, values] of plain.parameters) {
      const others = launched.parameters.get(name)!;
      const worst = Math.max(...values.map((value, i) => Math.abs(value - others[i]!)));
      expect(worst, name).toBeLessThan(2e-3);
    }
  });

  it('is padded for recordings only where there are any', () => {
    const { wire } = tinySession(7, 4);
    using recorded = new StepLauncher(wire, { mode: 'rehearse' });
    using plain = new StepLauncher(wire, { mode: 'rehearse', records: 'never' });
    for (const size of ['texts', 'positions', 'targets'] as const) {
      expect(plain.multiples[size]).toBeLessThan(recorded.multiples[size]!);
    }
    wire.dispose();
  });

  it('is recorded only where the device was not behind the host when it was issued plainly', () => {
    const { wire } = tinySession(7, 4);
    // Issuing takes 30 ms; what the device then has left to do is up to the key.
    let [now, left] = [0, 0];
    const clock = {
      now: () => now,
      wait: () => {
        now += left;
        left = 0;
      },
    };
    const run = (launcher: StepLauncher, key: string, lag: number): void =>
      launcher.run(key, () => {
        now += 30;
        left = lag;
      });
    const options = { mode: 'rehearse', plainRuns: 3, multiples: MULTIPLES, clock } as const;
    using launcher = new StepLauncher(wire, options);
    for (let i = 0; i < 3; i++) run(launcher, 'long', 30);
    expect(launcher.deviceBound).toBe(true);
    for (let i = 0; i < 6; i++) run(launcher, 'long', 0);
    expect(launcher.steps.counts.recorded).toBe(0);
    // What is left of another key before does not count.
    for (let i = 0; i < 3; i++) {
      run(launcher, 'long', 90);
      run(launcher, 'short', 2);
    }
    expect(launcher.deviceBound).toBe(false);
    run(launcher, 'short', 2);
    expect(launcher.steps.counts).toMatchObject({ plain: 15, recorded: 1 });
    using never = new StepLauncher(wire, { ...options, records: 'never' });
    for (let i = 0; i < 5; i++) run(never, 'short', 2);
    expect([never.deviceBound, never.steps.counts.recorded]).toEqual([false, 0]);
    wire.dispose();
  });
});
