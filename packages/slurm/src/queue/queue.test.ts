/** Readers against what a real Slurm 22.05 printed (golden/make_golden.sh), and against the later JSON layout. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SlurmError } from '../errors.js';
import type { SlurmRunner } from '../runner/index.js';
import {
  findJobs,
  jobPhase,
  parseDuration,
  parseIndices,
  parseJobcomp,
  parseJobState,
  parseJobs,
  parseSacct,
  parseSqueueJson,
  parseSqueueText,
  parseTime,
  preemptModeOf,
  readPartition,
  readSacct,
  readSqueue,
  whyStuck,
} from './index.js';

const golden = (name: string) => readFileSync(new URL(`golden/${name}`, import.meta.url), 'utf8');
const byId = <T extends { id: string }>(jobs: readonly T[], id: string) => jobs.find((job) => job.id === id);
const HOSTILE = 'x JobState=COMPLETED Partition=y ^ é';

describe('squeue', () => {
  const text = parseSqueueText(golden('squeue.txt'));
  const json = parseSqueueJson(golden('squeue-22.05.json'));

  it('says the same in JSON and in text', () => {
    const shared = [
      'id',
      'array',
      'name',
      'user',
      'partition',
      'account',
      'state',
      'nodes',
      'comment',
      'workDir',
    ];
    const pick = (jobs: readonly object[]) =>
      jobs
        .map((job) => Object.fromEntries(Object.entries(job).filter(([key]) => shared.includes(key))))
        .sort((a, b) => String(a.id).localeCompare(String(b.id)));
    expect(pick(json)).toEqual(pick(text));
  });

  it('gives pending array tasks one by one', () => {
    for (const jobs of [json, text]) {
      expect(jobs.filter(({ array }) => array?.jobId === '8').map(({ id }) => id)).toEqual([
        '8_3',
        '8_6',
        '8_9',
      ]);
    }
  });

  it('tells of a preemption under way', () => {
    expect(byId(json, '6')).toMatchObject({
      state: 'RUNNING',
      preemptTime: new Date(1_795_459_684_000),
      endTime: new Date(1_795_459_694_000),
      timeLimitSeconds: 1800,
      restarts: 1,
      requeue: true,
    });
  });

  it('is not misled by names and comments', () => {
    for (const jobs of [json, text]) {
      expect(byId(jobs, '5')).toMatchObject({
        name: HOSTILE,
        partition: 'normal',
        comment: 'submission=abc more',
      });
      expect(byId(jobs, '1')).toMatchObject({ name: 'a|b c $(x)', state: 'COMPLETED' });
    }
  });

  it('reads the layout of 23.11 and later', () => {
    const number = (value: number) => ({ set: true, infinite: false, number: value });
    const job = {
      job_id: 41,
      array_job_id: number(40),
      array_task_id: number(2),
      name: 'n',
      job_state: ['CANCELLED', 'COMPLETING'],
      state_reason: 'TimeLimit',
      time_limit: { set: true, infinite: true, number: 0 },
      end_time: number(1_795_459_694),
      preempt_time: { set: false, infinite: false, number: 0 },
      exit_code: { status: ['SIGNALED'], return_code: number(0), signal: { id: number(9), name: 'KILL' } },
    };
    const ended = { ...job, job_id: 42, array_task_id: number(3), job_state: ['TIMEOUT'] };
    expect(parseSqueueJson(JSON.stringify({ jobs: [job, ended] }))).toMatchObject([
      { id: '40_2', array: { jobId: '40', taskId: 2 }, state: 'COMPLETING', reason: 'TimeLimit' },
      { id: '40_3', state: 'TIMEOUT', exitCode: 0, exitSignal: 9 },
    ]);
  });

  it('falls back to text, once and for all, where squeue cannot write JSON', async () => {
    const asked: string[] = [];
    const runner = fake((_, args) => {
      asked.push(args[0]!);
      if (args.includes('--json')) throw refusal("unrecognized option '--json'");
      return golden('squeue.txt');
    });
    expect((await readSqueue(runner, { ids: ['8'] })).map(({ id }) => id)).toEqual(['8_3', '8_6', '8_9']);
    expect(await readSqueue(runner, { ids: ['3'], user: 'somebody' })).toEqual([]);
    expect(asked).toEqual(['--json', '--noheader', '--noheader']);
  });

  it('says so when it cannot read an answer', () => {
    expect(() => parseSqueueJson('slurm_load_jobs error')).toThrow(SlurmError);
    expect(() => parseSqueueJson('{}')).toThrow('expected a list `jobs`');
    expect(() => parseSqueueText('\x1e1\x1f2')).toThrow('expected 16 columns, got 2');
  });
});

describe('scontrol', () => {
  const jobs = parseJobs(golden('scontrol-job.txt'));

  it('reads every job of a listing', () => {
    expect(jobs).toHaveLength(10);
    expect(byId(jobs, '6')).toMatchObject({
      state: 'RUNNING',
      preemptTime: new Date(1_795_459_684_000),
      restarts: 1,
      requeue: true,
      output: '/tmp/slac2/o-6.out',
    });
    expect(byId(jobs, '2_0')).toMatchObject({ array: { jobId: '2', taskId: 0 }, restarts: 1, exitCode: 0 });
    expect(byId(jobs, '5')).toMatchObject({
      name: HOSTILE,
      partition: 'normal',
      comment: 'submission=abc more',
    });
    expect(byId(jobs, '9')).toMatchObject({ state: 'PENDING', timeLimitSeconds: 1800 });
  });

  it("knows a partition's way of preempting", async () => {
    const runner = fake((_, args) =>
      args.includes('config')
        ? 'PreemptMode  = REQUEUE\nPreemptType             = preempt/partition_prio\n'
        : golden('scontrol-partition.txt'),
    );
    expect(await readPartition(runner, 'preempt')).toEqual({
      name: 'preempt',
      preemptMode: 'requeue',
      graceSeconds: 10,
    });
    expect(preemptModeOf('GANG,SUSPEND', 'preempt/partition_prio')).toBe('suspend');
    expect(preemptModeOf('REQUEUE', 'preempt/qos')).toBe('unknown');
    expect(preemptModeOf('OFF', 'preempt/none')).toBe('off');
    await expect(readPartition(runner, '--flag')).rejects.toThrow('expected a partition name');
  });
});

describe('history', () => {
  it('has one record for each run of a job in sacct', () => {
    const jobs = parseSacct(golden('sacct.txt'));
    expect(jobs.filter(({ id }) => id === '2_0').map(({ state }) => state)).toEqual([
      'REQUEUED',
      'COMPLETED',
    ]);
    expect(byId(jobs, '3')).toMatchObject({ state: 'CANCELLED' });
    expect(byId(jobs, '5')).toMatchObject({ name: HOSTILE, exitCode: 0 });
  });

  it('knows every way in which a job ends', () => {
    const jobs = parseSacct(golden('sacct-ends.txt'));
    const endsOf = (id: string) =>
      jobs
        .filter((job) => job.id === id)
        .map(({ state, exitCode, exitSignal }) => `${state} ${exitCode}:${exitSignal}`);
    expect(Object.fromEntries(['24', '25', '26', '27', '34', '52'].map((id) => [id, endsOf(id)]))).toEqual({
      24: ['COMPLETED 0:0'],
      25: ['FAILED 3:0'],
      26: ['CANCELLED 0:0'],
      27: ['TIMEOUT 0:0'],
      34: ['FAILED 0:9'],
      52: ['NODE_FAIL 0:0'],
    });
    expect(['28', '29_1', '53'].map((id) => endsOf(id).map((end) => end.split(' ')[0]))).toEqual([
      ['REQUEUED', 'COMPLETED'],
      ['REQUEUED', 'FAILED'],
      ['PREEMPTED', 'COMPLETED'],
    ]);
    // What they waited for says nothing of how they ended.
    expect(jobs.filter(({ state, reason }) => state !== 'PENDING' && reason !== undefined)).toEqual([]);
  });

  it('has a record for each task of an array that never started', () => {
    const jobs = parseSacct(golden('sacct-ends.txt'));
    const tasksOf = (array: string) =>
      jobs.filter((job) => job.array?.jobId === array).map(({ id, state }) => `${id} ${state}`);
    expect(tasksOf('35')).toEqual(['35_2 CANCELLED', '35_4 CANCELLED', '35_6 CANCELLED']);
    // Task 2 has a row of its own as well; of task 1 the database knows nothing.
    expect(tasksOf('38')).toEqual(['38_0 COMPLETED', '38_2 COMPLETED', '38_3 CANCELLED']);
    expect(tasksOf('55')).toHaveLength(101);
    expect(byId(jobs, '55_200')).toMatchObject({ state: 'PENDING', reason: 'JobHeldUser' });
    expect(byId(jobs, '35_4')?.startTime).toBeUndefined();
  });

  it('is asked by the number of the array, since tasks that never started have none', async () => {
    const asked: string[] = [];
    const rows = golden('sacct-ends.txt')
      .split('\n')
      .filter((line) => /^(?:24|29|38)/.test(line));
    const runner = fake((_, args) => {
      asked.push(args.find((argument) => argument.startsWith('--jobs='))!);
      return rows.join('\n');
    });
    // 31 is the number that Slurm gave the task 29_1 itself.
    const jobs = await readSacct(runner, { ids: ['38_3', '38_0', '24', '31'] });
    expect(asked).toEqual(['--jobs=38,24,31']);
    expect(jobs.map(({ id }) => id)).toEqual(expect.arrayContaining(['24', '29_1', '38_0', '38_3']));
    expect(jobs.map(({ id }) => id)).not.toContain('38_2');
  });

  it('has one record for each run of a job in the completion file', () => {
    const jobs = parseJobcomp(golden('jobcomp.txt'));
    expect(jobs.filter(({ id }) => id === '2_0').map(({ state }) => state)).toContain('COMPLETED');
    expect(byId(jobs, '5')).toMatchObject({ name: HOSTILE, state: 'COMPLETED', partition: 'normal' });
    expect(byId(jobs, '1')).toMatchObject({ name: 'a|b c $(x)', account: 'proj1', exitCode: 0 });
    expect(parseJobcomp('JobId=1 Name=a JobState=COMPL')).toEqual([]);
  });

  it('is asked only for what the queue has forgotten, and may be absent', async () => {
    const runner = fake((command, args) => {
      if (command === 'squeue') return golden('squeue-22.05.json');
      if (command === 'sacct') throw new SlurmError('no', { kind: 'no-accounting' });
      expect(args).toEqual(['show', 'config']);
      const file = new URL('golden/jobcomp.txt', import.meta.url).pathname;
      return `JobCompType             = jobcomp/filetxt\nJobCompLoc              = ${file}\n`;
    });
    const jobs = await findJobs(runner, ['10', '777']);
    expect(jobs.map(({ id }) => id)).toEqual(['10']);
  });
});

describe('jobs from queue and history', () => {
  const task = (index: number, state: string) => ({
    job_id: 100 + index,
    array_job_id: 29,
    array_task_id: index,
    name: 'array',
    job_state: state,
  });
  /** What sacct says without --duplicates: the last run of each job that was asked for. */
  const last = (args: readonly string[]) => {
    const asked = args.find((argument) => argument.startsWith('--jobs='))!.slice(7);
    return golden('sacct-ends.txt')
      .split('\n')
      .filter((line) => asked.split(',').includes(/^\d+/.exec(line)?.[0] ?? ''))
      .filter((line) => !line.includes('REQUEUED') && !line.includes('PREEMPTED'))
      .join('\n');
  };
  const slurm = (queue: readonly object[], sacct: (args: readonly string[]) => string) =>
    fake((command, args) => (command === 'squeue' ? JSON.stringify({ jobs: queue }) : sacct(args)));
  const tell = (jobs: readonly { id: string; state: string }[]) =>
    jobs.map(({ id, state }) => `${id} ${state}`).sort();

  it('make up the whole of an array whose tasks Slurm forgets one by one', async () => {
    const runner = slurm([task(3, 'RUNNING')], last);
    expect(tell(await findJobs(runner, ['29']))).toEqual([
      '29_0 COMPLETED',
      '29_1 FAILED',
      '29_2 COMPLETED',
      '29_3 RUNNING',
    ]);
  });

  it('are unknown when accounting believes them alive and the controller does not', async () => {
    const runner = slurm([], last);
    expect(tell(await findJobs(runner, ['55_200', '24']))).toEqual(['24 COMPLETED', '55_200 UNKNOWN']);
  });

  it('need no database as long as the queue knows something of each', async () => {
    const away = () => {
      throw new SlurmError('away', { kind: 'accounting-unreachable' });
    };
    const runner = slurm([task(3, 'RUNNING')], away);
    expect(tell(await findJobs(runner, ['29']))).toEqual(['29_3 RUNNING']);
    await expect(findJobs(runner, ['29', '24'])).rejects.toMatchObject({ kind: 'accounting-unreachable' });
  });
});

describe('a waiting job', () => {
  it.each([
    ['AssocMaxWallDurationPerJobLimit', 'more, or less, than its account'],
    ['QOSMaxWallDurationPerJobLimit', 'more, or less, than its account'],
    ['QOSMinCpuNotSatisfied', 'more, or less, than its account'],
    ['AssocGrpCPUMinutesLimit', 'used up'],
    ['AssocGrpGRESMinutes', 'used up'],
    ['QOSNotAllowed', 'its QOS may not'],
    ["Job's QOS not permitted to use this partition (paid allows high not normal)", 'its QOS may not'],
    [
      "Job's_account_not_permitted_to_use_this_partition_(accts_allows_small_not_root)",
      'its account may not',
    ],
    ['InvalidQOS', 'its QOS may not'],
    ['PartitionTimeLimit', 'its partition'],
  ])('with %s waits for ever', (reason, why) => {
    expect(whyStuck(reason)).toContain(why);
  });

  it.each([
    'Resources',
    'Priority',
    'BeginTime',
    'JobArrayTaskLimit',
    'JobHeldUser',
    // Of what runs at once: others of the user end.
    'QOSMaxCpuPerUserLimit',
    'QOSMaxJobsPerUserLimit',
    'AssocGrpCPURunMinutesLimit',
    'AssocGrpCpuLimit',
    'AssocMaxJobsLimit',
    undefined,
  ])('with %s may start by itself', (reason) => {
    expect(whyStuck(reason)).toBeUndefined();
  });
});

describe('values', () => {
  it('are read as Slurm writes them', () => {
    expect(['30', '1:00', '12:00:00', '2-03:00:00', '1-6'].map(parseDuration)).toEqual([
      1800, 60, 43_200, 183_600, 108_000,
    ]);
    expect(parseDuration('UNLIMITED')).toBeUndefined();
    expect(parseTime('1795459684')).toEqual(new Date(1_795_459_684_000));
    expect(parseTime('2026-11-23T18:17:37')).toEqual(new Date(2026, 10, 23, 18, 17, 37));
    expect([parseTime('Unknown'), parseTime('0')]).toEqual([undefined, undefined]);
    expect(parseIndices('[2-3,9%2]')).toEqual([2, 3, 9]);
    expect(parseIndices('1-9:4')).toEqual([1, 5, 9]);
    expect(parseIndices('0,2,...')).toBeUndefined();
    expect(parseJobState('CANCELLED by 1000')).toBe('CANCELLED');
    expect(parseJobState('NEWER_STATE')).toBe('UNKNOWN');
    expect((['PENDING', 'COMPLETING', 'TIMEOUT', 'UNKNOWN'] as const).map(jobPhase)).toEqual([
      'waiting',
      'active',
      'ended',
      'unknown',
    ]);
  });
});

function fake(answer: (command: string, args: readonly string[]) => string): SlurmRunner {
  return { run: async (command, args) => answer(command, args) };
}

function refusal(output: string): SlurmError {
  return new SlurmError('squeue: no', { kind: 'refused', output });
}
