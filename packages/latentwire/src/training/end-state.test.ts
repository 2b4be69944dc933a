import * as t from '@latentwire/torch';
import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../config/index.js';
import { LatentWireError } from '../errors.js';
import { explained, failureStatus, interruptedStatus, logLines } from './end-state.js';
import { MicroBatchTimer } from './micro-batch-timer.js';
import { saveFaultsOf } from './save-faults.js';

describe('the end of an attempt', () => {
  const at = { step: 7, checkpoint: 'c' };

  it('is a time limit when the signal comes just before the end of the Slurm job, else a preemption', () => {
    const now = 1_000_000_000;
    const env = (secondsLeft: number) => ({ SLURM_JOB_END_TIME: String(now / 1000 + secondsLeft) });
    expect(interruptedStatus('SIGTERM', at, 120, env(200), now).state).toBe('timeout');
    expect(interruptedStatus('SIGTERM', at, 120, env(2000), now)).toEqual({
      ...at,
      state: 'preempted',
      signal: 'SIGTERM',
    });
    expect(interruptedStatus('SIGTERM', at, 120, {}, now).state).toBe('preempted');
  });

  it('names what failed in fields', () => {
    const error = new LatentWireError('no', { code: 'io', hint: 'do' });
    expect(failureStatus(error, 3)).toEqual({
      ...{ state: 'failed', step: 3 },
      error: { code: 'io', message: 'no', hint: 'do' },
    });
    expect(failureStatus(new Error('x'), 0)).toMatchObject({ error: { code: 'internal', message: 'x' } });
    expect(logLines(error)).toBe('error: no\nhint: do');
    expect(logLines(new Error('x'))).toMatch(/^error: Error: x\n {4}at /);
  });

  it.each([
    'CUDA out of memory. Tried to allocate 2 GiB',
    "can't allocate memory: you tried",
    'out of host memory',
  ])('is oom with the fix in it when the device ran out of memory: %s', (message) => {
    const { training } = defaultConfig();
    const found = { training: { ...training, batch_size: 'auto' as const } };
    const error = new t.TorchError(message);
    const status = (config: typeof found | { training: typeof training }) =>
      failureStatus(explained(error, config), 1);
    expect(status({ training })).toMatchObject({
      state: 'oom',
      error: { code: 'oom', hint: expect.stringContaining('lower --batch_size') },
    });
    expect(status(found)).toMatchObject({
      state: 'oom',
      error: { hint: expect.stringContaining('--target_memory') },
    });
    const other = new Error('x');
    expect(explained(other, { training })).toBe(other);
  });
});

describe('MicroBatchTimer', () => {
  it('follows how long micro-batches take lately, on the safe side', () => {
    let now = 0;
    const timer = new MicroBatchTimer(() => now);
    expect(timer.secondsFor(5)).toBe(0);
    for (let i = 0; i < 50; i++) {
      timer.mark();
      now += 2000;
    }
    timer.pause();
    now += 1e6;
    timer.mark();
    expect(timer.secondsFor(2)).toBeCloseTo(6);
  });
});

describe('saveFaultsOf', () => {
  it('lets the named saves fail, and none without the variable', () => {
    expect(saveFaultsOf({})).toBeUndefined();
    const fault = saveFaultsOf({ LATENTWIRE_SAVE_FAULT: 'ENOSPC:2-3' })!;
    expect([fault(), fault(), fault(), fault()].map((f) => f?.code)).toEqual([
      undefined,
      'ENOSPC',
      'ENOSPC',
      undefined,
    ]);
  });
});
