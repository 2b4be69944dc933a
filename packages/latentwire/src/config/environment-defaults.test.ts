import { describe, expect, it } from 'vitest';
import type { Assignment } from './assignment.js';
import { environmentDefaults, type RunConfig, resolveConfig } from './index.js';

const set = (path: string, value: unknown): Assignment => ({ path, value, origin: '--flag' });
const training = (environment: NodeJS.ProcessEnv, ...assignments: Assignment[]): RunConfig['training'] =>
  resolveConfig({ environment, assignments: [set('model.ids', ['m']), ...assignments] }).training;

describe('variables of the environment that stand for settings', () => {
  const all = {
    BASE_BATCH_SIZE: '16',
    GRADIENT_ACCUMULATION_STEPS: '4',
    NUM_WORKERS: '3',
    USE_GRADIENT_CHECKPOINTING: '1',
  };

  it('are defaults below what files and flags say', () => {
    expect(training(all)).toMatchObject({
      batch_size: 16,
      grad_accum: 4,
      num_workers: 3,
      gradient_checkpointing: true,
    });
    const flags = [
      set('training.batch_size', 2),
      set('training.grad_accum', 1),
      set('training.num_workers', 0),
      set('training.gradient_checkpointing', false),
    ];
    expect(training(all, ...flags)).toEqual(training({}, ...flags));
    expect(training({})).toMatchObject({ batch_size: 32, grad_accum: 1, effective_batch: null });
  });

  it('say how large a step is where the batch size is found automatically', () => {
    const auto = set('training.batch_size', 'auto');
    expect(training(all, auto)).toMatchObject({ effective_batch: 64, grad_accum: 1 });
    expect(training({ BASE_BATCH_SIZE: '16' }, auto)).toMatchObject({ effective_batch: 16, grad_accum: 1 });
    expect(training({ GRADIENT_ACCUMULATION_STEPS: '4' }, auto)).toMatchObject({
      effective_batch: null,
      grad_accum: 4,
    });
    const asked = set('training.effective_batch', 48);
    expect(training(all, auto, asked)).toMatchObject({ effective_batch: 48, grad_accum: 1 });
    expect(training(all, asked)).toMatchObject({ batch_size: 16, effective_batch: 48, grad_accum: 1 });
    expect(training(all, auto, set('training.grad_accum', 2))).toMatchObject({
      effective_batch: null,
      grad_accum: 2,
    });
  });

  it('are told of one by one, also those that are not used', () => {
    const { notes } = environmentDefaults({ ...all, PYTORCH_CUDA_ALLOC_CONF: 'max_split_size_mb:256' }, [
      { path: 'training.num_workers', value: 8 },
    ]);
    expect(notes.map(({ variable, effect }) => `${variable}: ${effect}`)).toEqual([
      'BASE_BATCH_SIZE: training.batch_size = 16',
      'GRADIENT_ACCUMULATION_STEPS: training.grad_accum = 4',
      'NUM_WORKERS: training.num_workers = 8, as a file or flag says',
      'USE_GRADIENT_CHECKPOINTING: training.gradient_checkpointing = true',
      "PYTORCH_CUDA_ALLOC_CONF: read by torch's allocator: max_split_size_mb:256",
    ]);
    expect(environmentDefaults({ NUM_WORKERS: '' }, []).notes).toEqual([]);
  });

  it.each([
    ['BASE_BATCH_SIZE', '0', 'an integer ≥ 1, got "0"'],
    ['BASE_BATCH_SIZE', '64GB', 'an integer ≥ 1, got "64GB"'],
    ['GRADIENT_ACCUMULATION_STEPS', '-1', 'an integer ≥ 1'],
    ['NUM_WORKERS', 'four', 'an integer ≥ 0, got "four"'],
    ['USE_GRADIENT_CHECKPOINTING', 'maybe', '1 or 0, got "maybe"'],
    ['PYTORCH_CUDA_ALLOC_CONF', 'max_split_size_mb=256', 'key:value pairs with commas'],
    ['PYTORCH_CUDA_ALLOC_CONF', 'max_split_size:256', 'a key like max_split_size_mb, got "max_split_size"'],
  ])('are refused by name when they cannot be meant: %s=%s', (variable, value, text) => {
    const wrong = () => environmentDefaults({ [variable]: value }, []);
    expect(wrong).toThrow(`expected the environment variable ${variable} to be ${text}`);
  });

  it('leave settings of the allocator that are right to torch', () => {
    const value = 'expandable_segments:True,roundup_power2_divisions:[256:1,512:2,>:4],brand_new:1';
    expect(environmentDefaults({ PYTORCH_CUDA_ALLOC_CONF: value }, []).assignments).toEqual([]);
  });
});

describe('settings of the batch', () => {
  it('refuse an effective batch together with micro-batches per step, and one larger than the data', () => {
    const both = [set('training.effective_batch', 8), set('training.grad_accum', 2)];
    expect(() => training({}, ...both)).toThrow('got both (8 and 2)');
    expect(() => training({}, set('training.effective_batch', 8), set('data.samples', 4))).toThrow(
      'expected samples ≥ effective_batch = 8, got 4',
    );
    expect(() => training({}, set('training.batch_size', 'big'))).toThrow(
      'expected an integer ≥ 1, or auto, got "big"',
    );
  });
});
