import { describe, expect, it } from 'vitest';
import type { DiagnosticsRow } from './diagnostics.js';
import { summariseSteps, timeLedger } from './time-ledger.js';

const row = (step: number, values: object): DiagnosticsRow => ({ step, attempt: 1, time: '', ...values });
const rows = [
  row(1, {
    seconds: 1,
    samples: 8,
    tokens: 100,
    tflop_per_second: 2,
    mfu: 0.25,
    data_seconds: 0.25,
    save_seconds: 0,
  }),
  row(2, {
    seconds: 3,
    samples: 8,
    tokens: 300,
    tflop_per_second: 6,
    mfu: 0.75,
    data_seconds: 0.25,
    save_seconds: 1,
  }),
];

describe('the time of a run', () => {
  it('is divided without rest: what is neither waiting nor saving is computing', () => {
    expect(timeLedger(rows, { load: 7, train: 5, lastSave: 0.5, evaluate: 11 })).toEqual({
      load_seconds: 7,
      data_wait_seconds: 0.5,
      compute_seconds: 3.5,
      save_seconds: 1.5,
      evaluate_seconds: 11,
    });
  });

  it('weighs rates of steps by how long they took', () => {
    expect(summariseSteps(rows)).toEqual({
      steps: 2,
      seconds: 4,
      samples_per_second: 4,
      tokens_per_second: 100,
      tflop_per_second: 5,
      mfu: 0.625,
      data_wait: 0.125,
      save: 0.25,
    });
  });

  it('says nothing of what rows of an earlier version, or of a CPU, do not say', () => {
    expect(summariseSteps([])).toBeUndefined();
    const { mfu, data_wait, save, tokens_per_second } = summariseSteps([row(1, { seconds: 2, samples: 4 })])!;
    expect([mfu, data_wait, save, tokens_per_second]).toEqual([null, null, null, null]);
  });
});
