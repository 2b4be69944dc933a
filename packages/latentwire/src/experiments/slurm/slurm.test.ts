import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Decision, SlurmRunner } from '@latentwire/slurm';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { readJsonLines, readStatus, silentLogger } from '../../telemetry/index.js';
import {
  joinSlurmJob,
  openSlurmQueue,
  profileNames,
  readJobFile,
  readProfile,
  recordDecision,
  renderScript,
  type WorkEnd,
} from './index.js';
import { readAttemptSummaries } from './job-session.js';

const repository = fileURLToPath(new URL('../../../../../', import.meta.url));
const within = temporaryFolder();
const file = (name: string, text: string) => {
  writeFileSync(within(name), text);
  return within(name);
};

describe('the committed batch scripts', () => {
  const jobs = path.join(repository, 'slurm/jobs');
  it.each(readdirSync(jobs))('%s is what its job file renders to', (name) => {
    const script = path.join(repository, 'slurm', name.replace('.yaml', '.slurm'));
    expect(readFileSync(script, 'utf8')).toBe(renderScript(readJobFile(path.join(jobs, name))));
  });

  it('ask for what section 8 of the production checklist asks for', () => {
    const script = readFileSync(path.join(repository, 'slurm/run_main_experiment.slurm'), 'utf8');
    for (const directive of [
      'account=marlowe-m000066',
      'partition=preempt',
      'signal=TERM@120',
      'requeue',
      'gpus=4',
      'mem=256GB',
      'time=12:00:00',
      'open-mode=append',
    ]) {
      expect(script).toContain(`#SBATCH --${directive}\n`);
    }
    expect(script).toContain('cd -- /projects/m000066/sujinesh/LatentWire || exit 1\n');
    expect(script).not.toMatch(/\btee\b|\$\(date/);
  });
});

describe('profiles and job files', () => {
  it('are found by name, and typos are answered', () => {
    expect(profileNames()).toEqual(expect.arrayContaining(['local-test', 'marlowe']));
    expect(readProfile('local-test').partition).toBe('preempt');
    expect(() => readProfile('marlow')).toThrow('expected a cluster profile, got "marlow"');
  });

  it('let a job change its profile', () => {
    const job = readJobFile(
      file('job.yaml', 'profile: marlowe\nname: j\ngpus_per_node: 1\ncommand: [a, "b c"]\n'),
    );
    expect(job).toMatchObject({ name: 'j', gpusPerNode: 1, memory: '256GB', command: ['a', 'b c'] });
    const text = 'profile: local-test\nname: j\ncommand: [a]\narray: 0-3%2\ndependency: afterok:12\n';
    expect(readJobFile(file('array.yaml', text))).toMatchObject({
      array: { indices: [0, 1, 2, 3], atOnce: 2 },
      dependencies: [{ kind: 'afterok', jobs: ['12'] }],
    });
  });

  it.each([
    ['profile: marlowe\nname: j\n', 'command: expected a list of words'],
    ['name: j\ncommand: [a]\n', 'profile: expected the name of a cluster profile, got nothing'],
    ['- a\n', 'expected a mapping with profile, name and command'],
    ['profile: marlowe\nname: j\ncommand: [a]\nmem: 4\n', 'unknown field "mem"'],
    ['profile: marlowe\nname: j\ncommand: [a]\nnodes: two\n', 'nodes: expected a whole number, got "two"'],
    ['profile: marlowe\nname: j\ncommand: [a]\narray: all\n', 'broken.yaml: array: expected indices'],
    ['profile: [\n', 'broken.yaml:2:1:'],
  ])('refuse %j', (text, message) => {
    expect(() => readJobFile(file('broken.yaml', text))).toThrow(message);
  });
});

const EARLIER = 'JobState=COMPLETING Reason=None Restarts=9';
const RUNNING = 'JobState=RUNNING Reason=None Restarts=0 EndTime=4000000000';

/** A Slurm whose job is RUNNING until it is requeued. */
function slurm(): SlurmRunner & { requeued: number } {
  const runner = {
    requeued: 0,
    run: async (_: string, args: readonly string[]) => {
      if (args[0] === 'requeue') runner.requeued += 1;
      return `JobId=7 JobName=n\n Requeue=1 ${runner.requeued > 0 ? EARLIER : RUNNING}\n`;
    },
  };
  return runner;
}

describe('a run in a job', () => {
  const join = async (record: string, progress: number, runner: SlurmRunner, env: NodeJS.ProcessEnv = {}) => {
    const supervisor = { runner, env: { SLURM_JOB_ID: '7', ...env }, pollMs: 1, limits: { settleMs: 0 } };
    return (await joinSlurmJob({ record, progress, logger: silentLogger, supervisor }))!;
  };

  it('is not there outside Slurm', async () => {
    const options = { record: within('x.jsonl'), progress: 0, logger: silentLogger, supervisor: { env: {} } };
    expect(await joinSlurmJob(options)).toBeUndefined();
  });

  it('is requeued when it was stopped, and leaves a record of why', async () => {
    const record = within('logs/slurm.jsonl');
    const runner = slurm();
    const session = await join(record, 10, runner);
    expect(session.stopNotice()).toBeUndefined();
    process.emit('SIGTERM');
    expect(session.stopNotice()).toMatchObject({ name: 'SIGTERM' });
    const ending = await session.end({ kind: 'stopped', progress: 25 });
    expect(ending.exitCode).toBe(0);
    expect(runner.requeued).toBe(1);
    expect(readJsonLines(record)).toMatchObject([
      { event: 'start', job: '7', restarts: 0, progress: 10 },
      { event: 'end', kind: 'stopped', progress: 25 },
      { event: 'decision', action: 'requeue-self', cause: 'signal' },
      { event: 'decision', action: 'wait-for-requeue', cause: 'requeued' },
    ]);
    expect((await join(record, 25, slurm())).attempt).toBe(2);
  });

  it('is given up on the second crash of the same kind', async () => {
    const record = within('crash.jsonl');
    const crash: WorkEnd = { kind: 'failed', signature: 'CUDA error', retryable: true, progress: 0 };
    const first = slurm();
    expect((await (await join(record, 0, first)).end(crash)).exitCode).toBe(0);
    expect(first.requeued).toBe(1);
    const second = slurm();
    expect(await (await join(record, 0, second)).end(crash)).toMatchObject({
      exitCode: 1,
      decision: { why: 'the same crash twice in a row' },
    });
    expect(second.requeued).toBe(0);
  });

  it('has the cause in its status, unless somebody else works on it by now', () => {
    const directory = within('told');
    const status = path.join(directory, 'status.json');
    const write = (restarts: number, state: object) =>
      writeFileSync(
        status,
        JSON.stringify({
          ...{ run: 'told', attempt: 3, updated_at: '2026-01-05T10:00:00.000Z', step: 40, checkpoint: 'c' },
          ...{ slurm: { job: '7', restarts }, ...state },
        }),
      );
    mkdirSync(directory, { recursive: true });
    const preempted = { state: 'preempted', signal: 'SIGTERM' };
    const env = { SLURM_JOB_ID: '7', SLURM_RESTART_COUNT: '2' };
    const told = (decision: Partial<Decision>) => {
      recordDecision(directory, { action: 'requeue-self', cause: 'signal', why: 'w', ...decision }, env);
      return readStatus(status);
    };
    write(2, preempted);
    expect(
      told({ action: 'wait-for-requeue', cause: 'preemption', why: 'preempted: Slurm requeues' }),
    ).toMatchObject({
      ...{ ...preempted, attempt: 3, step: 40 },
      slurm: { job: '7', restarts: 2, cause: 'preemption', why: 'preempted: Slurm requeues' },
    });
    write(2, preempted);
    const timeout = told({ cause: 'time-limit' })!;
    expect(timeout).toMatchObject({
      state: 'timeout',
      step: 40,
      slurm: { restarts: 2, cause: 'time-limit' },
    });
    expect(timeout).not.toHaveProperty('signal');
    for (const [restarts, state, cause] of [
      [3, preempted, 'signal'],
      [2, { state: 'completed' }, 'signal'],
      [2, preempted, 'requeued'],
    ] as const) {
      write(restarts, state);
      const before = readFileSync(status, 'utf8');
      told({ cause });
      expect(readFileSync(status, 'utf8')).toBe(before);
    }
  });

  it('ends when it is finished', async () => {
    const runner = slurm();
    const ending = await (await join(within('done.jsonl'), 5, runner)).end({ kind: 'finished', progress: 9 });
    expect([ending.exitCode, runner.requeued]).toEqual([0, 0]);
  });
});

describe('the record of attempts', () => {
  const start = (job: string, progress: number) => ({
    ...{ event: 'start', at: '', job, restarts: 0, node: null, progress },
  });
  const write = (...events: object[]) =>
    file('record.jsonl', events.map((event) => `${JSON.stringify(event)}\n`).join(''));

  it('tells what a killed attempt saved by where the next one began', () => {
    const record = write(start('7', 0), start('7', 40), start('7', 40));
    expect(readAttemptSummaries(record, '7', 40)).toEqual([
      { progressed: true, end: 'unknown' },
      { progressed: false, end: 'unknown' },
      { progressed: false, end: 'unknown' },
    ]);
  });

  it('begins anew with a new submission', () => {
    expect(readAttemptSummaries(write(start('7', 0)), '8', 0)).toEqual([]);
    expect(readAttemptSummaries(within('absent.jsonl'), '8', 0)).toEqual([]);
  });
});

describe('the queue', () => {
  it('answers in the error class of the product', async () => {
    const queue = openSlurmQueue(silentLogger);
    await expect(queue.cancel(['1; rm -rf /'])).rejects.toMatchObject({
      name: 'LatentWireError',
      code: 'input',
      message: 'expected a job id such as 12 or 12_3, got "1; rm -rf /"',
    });
  });
});
