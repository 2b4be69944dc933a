/** Records against the queue, and cells as arrays; the whole of it under a real Slurm is in test/slurm-plan.test.ts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type JobRecord, SlurmError, type SlurmRunner } from '@latentwire/slurm';
import { beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { loadPlan } from '../plan/expand.js';
import { arrayJob, groupCells, shapeOf } from './array-job.js';
import { type ArrayRecord, readArrays, writeArray } from './array-record.js';
import { queueAndHistory } from './queue-look.js';
import { directoryMark, viewQueue } from './queue-view.js';
import type { SubmittedPlan } from './submitted-plan.js';

const within = temporaryFolder();
const DIRECTORY = '/runs/a';
const record: ArrayRecord = {
  ...{ submission: 's1', plan: 'p', generation: 1, phase: 'core', name: 'p.core', created_at: '1' },
  ...{ job: '12', cells: ['a', 'b'], ended: null },
};
const task = (index: number, state: JobRecord['state'], more: Partial<JobRecord> = {}): JobRecord => ({
  ...{ id: `12_${index}`, array: { jobId: '12', taskId: index }, name: 'p.core', state },
  comment: `${directoryMark(DIRECTORY)} submission=s1`,
  ...more,
});
const view = (records: readonly ArrayRecord[], jobs: readonly JobRecord[]) => {
  const { cells, arrays, strays, guards, records: updated } = viewQueue(DIRECTORY, records, jobs);
  const states = [...cells].map(([name, { job, state, live }]) => `${name} ${job} ${state} ${live}`);
  return { states, arrays: [...arrays], strays, guards: guards.map(({ id }) => id), updated };
};

describe('the queue of a plan', () => {
  it('tells of each cell where its task is', () => {
    expect(view([record], [task(0, 'RUNNING'), task(1, 'PENDING')])).toMatchObject({
      states: ['a 12_0 RUNNING true', 'b 12_1 PENDING true'],
      arrays: [['12', 2]],
      strays: [],
      updated: [record],
    });
  });

  it('takes an array that Slurm shows as one entry for all tasks that are not shown', () => {
    const { array: _, ...rest } = task(0, 'PENDING', { id: '12' });
    expect(view([record], [rest, task(0, 'COMPLETED')]).states).toEqual([
      'a 12_0 COMPLETED false',
      'b 12_1 PENDING true',
    ]);
  });

  it('finds the number of an array by its submission, and knows when there is none', () => {
    const open = { ...record, job: null };
    expect(view([open], [task(0, 'RUNNING')]).updated).toEqual([{ ...record }]);
    expect(view([open], [])).toMatchObject({
      states: ['a null UNKNOWN false', 'b null UNKNOWN false'],
      updated: [{ job: null, ended: ['UNKNOWN', 'UNKNOWN'] }],
    });
  });

  it('remembers how tasks ended when Slurm has forgotten them', () => {
    const [closed] = view([record], [task(0, 'COMPLETED'), task(1, 'CANCELLED')]).updated;
    expect(closed!.ended).toEqual(['COMPLETED', 'CANCELLED']);
    expect(view([closed!], []).states).toEqual(['a 12_0 COMPLETED false', 'b 12_1 CANCELLED false']);
  });

  it('prefers the task that lives among several of one cell', () => {
    const later = { ...record, submission: 's2', job: '20', created_at: '2', ended: ['FAILED', 'FAILED'] };
    expect(view([record, later], [task(0, 'RUNNING'), task(1, 'FAILED')]).states).toEqual([
      'a 12_0 RUNNING true',
      'b 20_1 FAILED false',
    ]);
  });

  it('names jobs whose record is gone, and keeps guards and strangers apart', () => {
    const mark = directoryMark(DIRECTORY);
    const guard = {
      id: '13',
      name: 'p.guard',
      state: 'PENDING',
      comment: `${mark} guard submission=g`,
    } as const;
    const stranger = {
      ...task(0, 'RUNNING', { comment: `${directoryMark('/other')} submission=s1` }),
      name: 'x',
    };
    expect(view([], [task(0, 'RUNNING'), task(1, 'COMPLETED'), guard])).toMatchObject({
      strays: ['12'],
      guards: ['13'],
      arrays: [],
    });
    // The number of a cluster that was set up anew.
    expect(view([record], [stranger])).toMatchObject({ arrays: [], strays: [] });
  });
});

describe('history', () => {
  const directory = within('history');
  mkdirSync(path.join(directory, '.experiment/slurm/arrays'), { recursive: true });
  beforeEach(() => writeArray(directory, record));
  let asked = 0;
  /** @param sacct rows of task index and state, or an error */
  const slurm = (
    queue: readonly [task: number, state: string][],
    sacct: readonly [task: string, state: string][] | SlurmError,
  ): SlurmRunner => ({
    run: async (command) => {
      if (command === 'squeue') {
        const jobs = queue.map(([index, state]) => ({
          ...{ job_id: 90 + index, array_job_id: 12, array_task_id: index, name: 'p.core' },
          job_state: state,
        }));
        return JSON.stringify({ jobs });
      }
      asked++;
      if (sacct instanceof SlurmError) throw sacct;
      const row = ([task, state]: readonly [string, string]) =>
        [`12_${task}`, state, '0:0', ...Array<string>(10).fill(''), 'p.core'].join('\x1f');
      return `${sacct.map(row).join('\n')}\n`;
    },
  });
  const look = async (runner: SlurmRunner, open: readonly string[]) => {
    asked = 0;
    const { cells } = await queueAndHistory(directory, runner, (cell) => open.includes(cell));
    return [...cells].map(([name, { state }]) => `${name} ${state}`);
  };

  it('tells how the tasks of an array ended that never started', async () => {
    const runner = slurm([], [['[0-1%4]', 'CANCELLED by 0']]);
    expect(await look(runner, ['a', 'b'])).toEqual(['a CANCELLED', 'b CANCELLED']);
    expect(readArrays(directory)[0]!.ended).toEqual(['CANCELLED', 'CANCELLED']);
    await look(runner, ['a', 'b']);
    expect(asked).toBe(0);
  });

  it('is asked while the array goes on, but only for cells that may start', async () => {
    const runner = slurm(
      [[1, 'RUNNING']],
      [
        ['0', 'NODE_FAIL'],
        ['1', 'RUNNING'],
      ],
    );
    expect(await look(runner, [])).toEqual(['a UNKNOWN', 'b RUNNING']);
    expect(asked).toBe(0);
    expect(await look(runner, ['a'])).toEqual(['a NODE_FAIL', 'b RUNNING']);
    expect(readArrays(directory)[0]!.ended).toBeNull();
  });

  it('is asked again when accounting was away', async () => {
    const away = new SlurmError('away', { kind: 'accounting-unreachable' });
    expect(await look(slurm([], away), ['a'])).toEqual(['a UNKNOWN', 'b UNKNOWN']);
    expect(readArrays(directory)[0]!.ended).toBeNull();
    const back = slurm(
      [],
      [
        ['0', 'CANCELLED'],
        ['1', 'COMPLETED'],
      ],
    );
    expect(await look(back, ['a'])).toEqual(['a CANCELLED', 'b COMPLETED']);
  });

  it('is not needed for what the queue still knows of an array whose history is away', async () => {
    const away = new SlurmError('away', { kind: 'accounting-unreachable' });
    expect(await look(slurm([[1, 'FAILED']], away), ['a', 'b'])).toEqual(['a UNKNOWN', 'b FAILED']);
    expect(readArrays(directory)[0]!.ended).toBeNull();
  });
});

describe('cells as arrays', () => {
  const file = within('plan.yaml');
  writeFileSync(
    file,
    `version: 1
name: p
seeds: [1]
settings: {model.ids: [m]}
resources: {gpus: 1, cpus: 6, memory_gb: 40, minutes: 90}
phases:
  - {name: first, grid: {wire.latent_len: [4, 8, 16]}}
  - {name: urgent, grid: {wire.latent_len: [32, 64]}, priority: 5, resources: {gpus: 8, cpus: 16}}
`,
  );
  const plan = loadPlan(file, { directory: within("it's $HOME %j") });
  const profile = { name: 'c', gpus_per_node: 4, memory: '256GB', cpus_per_task: 32, array_at_once: 3 };
  const submitted: SubmittedPlan = {
    ...{ plan, profile, atOnce: null, ignoreGates: false, workDir: '/work', generation: 1, cancelled: false },
  };
  const groups = groupCells(plan.cells, (cell) => cell.places[0]!.phase, 2);

  it('are grouped by phase and resources, the urgent first, in arrays that the cluster allows', () => {
    expect(groups.map(({ phase, cells }) => `${phase} ${cells.length}`)).toEqual([
      'urgent 2',
      'first 2',
      'first 1',
    ]);
  });

  it('ask for what the cell says, and for what the profile says where it says nothing', () => {
    expect(arrayJob(submitted, groups[1]!, 's', ['lw'])).toMatchObject({
      ...{ name: 'p.first', nodes: 1, gpusPerNode: 1, tasksPerNode: 1, cpusPerTask: 6, memory: '40G' },
      ...{ timeLimitSeconds: 5400, array: { indices: [0, 1], atOnce: 3 }, workDir: '/work', requeue: true },
      output: within("it's $HOME %%j", '.experiment/slurm/output/%x-%A_%a.out'),
      command: ['lw', 'slurm', 'task', within("it's $HOME %j", '.experiment/slurm/arrays/s.cells.json')],
    });
    expect(arrayJob({ ...submitted, atOnce: 1 }, groups[0]!, 's', ['lw'])).toMatchObject({
      ...{ nodes: 2, gpusPerNode: 4, tasksPerNode: 4, cpusPerTask: 2, array: { atOnce: 1 } },
    });
  });

  it('refuse GPUs that do not fill whole nodes', () => {
    expect(() => shapeOf({ gpus: 6, cpus: 1 }, profile)).toThrow('expected at most 4 or a multiple of it');
    expect(shapeOf({ gpus: 0, cpus: 1 }, profile)).toEqual({ nodes: 1, gpusPerNode: 0 });
    expect(shapeOf({ gpus: 2, cpus: 1 }, { name: 'without' })).toEqual({ nodes: 1, gpusPerNode: 2 });
  });
});
