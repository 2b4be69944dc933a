import { describe, expect, it } from 'vitest';
import { composeStep } from './step-batches.js';
import { microBatchWork } from './step-work.js';
import { everyTermOptions, tinySession } from './tiny-session.fixture.js';

function total(
  microBatches: readonly (readonly number[])[],
  multiples: object = {},
  settings: Readonly<Record<string, unknown>> = {},
): number {
  const { wire, data } = tinySession(7, 8, 2, settings);
  const { batches } = composeStep(data, wire.layout, microBatches, {
    stage: everyTermOptions.stage,
    k: 2,
    active: [0, 1],
    continues: (i) => i % 3 === 0,
    readingWindow: (_, length) => [0, length],
    multiples,
  });
  const work = microBatchWork(wire, data.readers);
  return batches.reduce((sum, batch) => sum + work(batch), 0);
}

describe('the work of a step', () => {
  it('is that of its examples, however they are cut and padded', () => {
    const whole = total([[0, 1, 2, 3, 4, 5, 6, 7]]);
    expect(whole).toBeGreaterThan(1e5);
    const one = (value: number): number => value / whole;
    expect(one(total([[0, 5, 3], [1, 2], [7], [6, 4]]))).toBeCloseTo(1, 12);
    expect(one(total([[0, 1, 2, 3, 4, 5, 6, 7]], { texts: 16, positions: 8, targets: 16 }))).toBeCloseTo(
      1,
      12,
    );
    expect(one(total([[0, 1, 2, 3]]) + total([[4, 5, 6, 7]]))).toBeCloseTo(1, 12);
  });

  it('is less where the encoder is frozen, and knows every kind of encoder', () => {
    const step = [[0, 1, 2, 3, 4, 5, 6, 7]];
    const lm = total(step);
    const low = total(step, {}, { 'encoder.lora_rank': 2 });
    const frozen = total(step, {}, { 'encoder.type': 'stq', 'encoder.width': 8, 'encoder.heads': 2 });
    expect(low).toBeLessThan(lm);
    expect(frozen).toBeLessThan(low);
    const bytes = { 'encoder.type': 'byte', 'encoder.heads': 2, 'encoder.layers': 2 };
    const [narrow, wide] = [8, 16].map((width) => total(step, {}, { ...bytes, 'encoder.width': width }));
    expect(wide).toBeGreaterThan(narrow!);
  });
});
