import { describe, expect, it } from 'vitest';
import { placeOf, takeOwnGpu } from './place.js';

const torchrun = { WORLD_SIZE: '4', RANK: '3', LOCAL_RANK: '1', MASTER_ADDR: 'node-1', MASTER_PORT: '29500' };
const place = { rank: 3, size: 4, localRank: 1, host: 'node-1', port: 29_500 };

describe('the place of a process', () => {
  it('is what the variables of env:// say', () => {
    expect(placeOf(torchrun)).toEqual(place);
    expect(placeOf({})).toBeNull();
    expect(placeOf({ WORLD_SIZE: '1' })).toBeNull();
  });

  it('follows from those of srun where no script has set others', () => {
    const srun = { SLURM_JOB_ID: '123456', SLURM_STEP_NUM_TASKS: '2', SLURM_STEP_NUM_NODES: '1' };
    expect(placeOf({ ...srun, SLURM_PROCID: '1', SLURM_LOCALID: '1' })).toEqual({
      ...{ rank: 1, size: 2, localRank: 1, host: '127.0.0.1' },
      port: 20_000 + (123_456 % 20_000),
    });
    // The one task of a job, and a cell of a plan that runs in one of several tasks.
    expect(placeOf({ ...srun, SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0' })).toBeNull();
    expect(placeOf({ ...srun, SLURM_PROCID: '1', WORLD_SIZE: '1', RANK: '0' })).toBeNull();
  });

  it.each([
    [{ ...torchrun, RANK: '4' }, /expected RANK from 0 to 3, got "4"/],
    [{ ...torchrun, MASTER_PORT: 'x' }, /MASTER_PORT/],
    [{ WORLD_SIZE: '2', RANK: '0' }, /WORLD_SIZE is set and MASTER_ADDR is not/],
    [
      { SLURM_STEP_NUM_TASKS: '2', SLURM_PROCID: '0', SLURM_LOCALID: '0', SLURM_STEP_NUM_NODES: '2' },
      /MASTER_ADDR is not/,
    ],
  ])('is refused when variables do not fit: %j', (env, message) => {
    expect(() => placeOf(env)).toThrow(message);
  });
});

describe('the GPU of a process', () => {
  const visible = (list: string | undefined, device = 'auto'): string | undefined => {
    const env: NodeJS.ProcessEnv = list === undefined ? {} : { CUDA_VISIBLE_DEVICES: list };
    takeOwnGpu(place, device, env);
    return env.CUDA_VISIBLE_DEVICES;
  };

  it('is that of its local rank, unless it was given one alone', () => {
    expect(visible(undefined)).toBe('1');
    expect(visible('4,5,6')).toBe('5');
    expect(visible('7')).toBe('7');
    expect(visible('')).toBe('');
    expect(visible('4,5', 'cpu')).toBe('4,5');
  });

  it('must be there, and is not chosen by --device', () => {
    expect(() => takeOwnGpu({ ...place, localRank: 2 }, 'cuda', { CUDA_VISIBLE_DEVICES: '4,5' })).toThrow(
      /a GPU for local rank 2/,
    );
    expect(() => visible(undefined, 'cuda:1')).toThrow(/--device auto, cuda or cpu/);
  });
});
