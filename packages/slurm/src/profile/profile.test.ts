import { describe, expect, it } from 'vitest';
import { renderScript } from '../script/index.js';
import { jobFromProfile, parseProfile, parseSignal, parseTimeLimit } from './index.js';

const cluster = {
  name: 'c',
  partition: 'preempt',
  gpus_per_node: 4,
  time: '1-12:00:00',
  signal: 'B:USR1@60',
  environment: { A: '1', B: '2' },
  array_at_once: 3,
};

describe('a cluster profile', () => {
  it("becomes a job in which the job's own values win", () => {
    const job = jobFromProfile(parseProfile(cluster, 'c.yaml'), {
      name: 'j',
      command: ['x'],
      gpusPerNode: 1,
      environment: { B: '3' },
      array: { indices: [0, 1] },
    });
    expect(job).toMatchObject({
      partition: 'preempt',
      gpusPerNode: 1,
      timeLimitSeconds: 129_600,
      signal: { name: 'USR1', secondsBefore: 60, to: 'batch' },
      requeue: true,
      environment: { A: '1', B: '3' },
      array: { indices: [0, 1], atOnce: 3 },
    });
    expect(renderScript(job)).toContain(
      '#SBATCH --time=1-12:00:00\n#SBATCH --signal=B:USR1@60\n#SBATCH --array=0-1%3',
    );
  });

  it.each([
    [[], 'c.yaml: expected a mapping of fields, got []'],
    [{ name: 'c', gpu: 4 }, 'c.yaml: unknown field "gpu"'],
    [{}, 'c.yaml: name: expected a text'],
    [{ name: 'c', nodes: '2' }, 'c.yaml: nodes: expected a whole number, got "2"'],
    [{ name: 'c', environment: { A: 1 } }, 'c.yaml: environment: expected names with texts'],
    [{ name: 'c', time: '12h' }, 'c.yaml: time: expected a time limit such as 12:00:00'],
    [{ name: 'c', signal: 'KILL@5' }, 'c.yaml: signal: expected a signal such as TERM@120'],
    [{ name: 'c', container: { image: 'x' } }, 'c.yaml: container: expected prefix and srun_flags'],
    [{ name: 'c', tasks_per_node: 'all' }, 'c.yaml: tasks_per_node: expected one-per-gpu or a whole number'],
  ])('refuses %j', (value, message) => {
    expect(() => parseProfile(value, 'c.yaml')).toThrow(message);
  });

  it('reads signals and limits', () => {
    expect(parseSignal('SIGTERM@120', 's')).toEqual({ name: 'TERM', secondsBefore: 120, to: 'tasks' });
    expect(parseTimeLimit('00:01:30', 't')).toBe(90);
  });
});
