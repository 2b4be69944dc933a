import { describe, expect, it } from 'vitest';
import { silentLogger } from '../telemetry/index.js';
import { inSlurmJob } from './in-slurm-job.js';

const job = (work: Parameters<typeof inSlurmJob>[0]['work']) =>
  inSlurmJob({ directories: [], record: 'unused', logger: silentLogger, work });
const listening = (): number => process.listenerCount('SIGUSR2');

describe.skipIf(process.env.SLURM_JOB_ID !== undefined)('a command outside Slurm', () => {
  it('hears a signal that comes before its work watches for any', async () => {
    const before = listening();
    await job(async (stopNotice) => {
      expect(stopNotice()).toBeUndefined();
      process.emit('SIGUSR2', 'SIGUSR2');
      process.emit('SIGTERM', 'SIGTERM');
      expect(stopNotice()).toMatchObject({ name: 'SIGUSR2', monotonicMs: expect.any(Number) });
      return { stopped: false, result: { json: {}, text: '' } };
    });
    expect(listening()).toBe(before);
  });

  it('is not ended by a second signal after it was stopped, but by one after it failed', async () => {
    const before = listening();
    await expect(job(() => Promise.reject(new Error('x')))).rejects.toThrow('x');
    expect(listening()).toBe(before);
    await job(async () => ({ stopped: true, result: { json: {}, text: '' } }));
    expect(listening()).toBe(before + 1);
  });
});
