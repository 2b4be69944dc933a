/**
 * Real accounting: slurmdbd and MariaDB beside a private cluster, with accounts, limits and QOS enforced. What Slurm says
 * to jobs that an account may not run, what sacct keeps of jobs, and preemption by QOS. Opt-in, because a database costs
 * minutes of CI: LATENTWIRE_TEST_SLURMDBD=1, with slurmdbd and mariadb-server installed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cancelJobs,
  createRunner,
  findJobs,
  type JobSpec,
  type JobState,
  readJob,
  readSacct,
  readSqueue,
  renderScript,
  requeueJob,
  type SlurmErrorKind,
  type SlurmRunner,
  submitJob,
  testSubmit,
  whyStuck,
} from '../src/index.js';
import { compilePackage } from './real-slurm/compile.js';
import { provideSlurm } from './real-slurm/install.js';
import { accountingAvailable } from './real-slurm/private-accounting.js';
import { type PrivateCluster, startCluster } from './real-slurm/private-cluster.js';
import { Scenario, undisturbed, until } from './real-slurm/scenario.js';

const accounting = accountingAvailable();
const slurm = accounting.available ? provideSlurm() : accounting;
if (!slurm.available) console.warn(`real accounting tests skipped: ${slurm.why}`);

const timeout = 280_000;

/** Jobs leave the controller's memory soon, and are then in the database only. */
const MIN_JOB_AGE = 15;

const ACCOUNTS = ['open', 'closed', 'two', 'brief', 'budget', 'plain', 'removed'];

const SITE = [
  ...ACCOUNTS.map((name) => `add account ${name} Description=test Organization=test`),
  ...ACCOUNTS.map((name) => `add user root account=${name}`),
  'add qos low PreemptMode=requeue GraceTime=10',
  'add qos low-cancel PreemptMode=cancel GraceTime=10',
  'add qos low-at-once PreemptMode=requeue',
  'add qos high Preempt=low,low-cancel,low-at-once',
  'add qos strict MaxWall=5 MaxTRESPerJob=cpu=4 flags=DenyOnLimit',
  'add qos lenient MaxWall=5',
  'add qos one MaxSubmitJobsPerUser=1 flags=DenyOnLimit',
  'modify user root set qos+=low,low-cancel,low-at-once,high,strict,lenient,one',
  'modify user root where account=plain set qos=normal',
  'modify account closed set GrpSubmitJobs=0',
  'modify user root where account=two set MaxSubmitJobs=2',
  'modify account brief set MaxWall=5',
  'modify account budget set GrpTRESMins=cpu=8',
  'delete user root account=removed',
];

describe.skipIf(!slurm.available)('under real accounting', () => {
  let site: PrivateCluster;
  let runner: SlurmRunner;
  let packageFile: string;
  const compiled = mkdtempSync(path.join(os.tmpdir(), 'latentwire-accounting-'));
  const manage = (words: string) => site.run('sacctmgr', '--immediate', '--quiet', ...words.split(' '));
  const node = (index: number) => site.nodes[index - 1]!;
  const on = (name: string) => new Scenario(site, packageFile, name);

  beforeAll(async () => {
    packageFile = compilePackage(compiled);
    site = await startCluster({
      ...{ nodes: 8, sendUserSignal: false, accounting: true, preemptType: 'qos', minJobAge: MIN_JOB_AGE },
      // Only this plugin counts what an account has used; it looks once a minute at most.
      extra: [
        ...['PriorityType=priority/multifactor', 'PriorityCalcPeriod=1', 'PriorityDecayHalfLife=0'],
        ...[
          'PriorityUsageResetPeriod=MONTHLY',
          'PartitionName=members Nodes=ALL AllowAccounts=open State=UP',
        ],
      ],
    });
    runner = createRunner({ env: site.env, pausesMs: [] });
    for (const words of SITE) await manage(words);
  }, 180_000);

  afterAll(async () => {
    try {
      if (site !== undefined) {
        await site.run('scancel', '--state=PENDING', '--user=root');
        await until('the end of all jobs', async () => (await site.run('squeue', '--noheader')) === '');
        expect(site.leftOver()).toEqual([]);
      }
    } finally {
      await site?.stop();
      rmSync(compiled, { recursive: true, force: true });
    }
  }, 120_000);

  /** A job that does not start. */
  const held = (spec: Partial<JobSpec>): JobSpec => ({
    ...{ name: 'held', requeue: false, hold: true, cpusPerTask: 1, memory: '100M', output: '/dev/null' },
    command: ['true'],
    ...spec,
  });
  const kindOf = (promise: Promise<unknown>): Promise<SlurmErrorKind | 'taken'> =>
    promise.then(
      () => 'taken',
      ({ kind }) => kind,
    );
  /** What sbatch and `--test-only` say; both the same. */
  const verdict = async (spec: Partial<JobSpec>): Promise<SlurmErrorKind | 'taken'> => {
    const asked = await kindOf(testSubmit(runner, renderScript(held(spec))));
    expect(await kindOf(submitJob(runner, held(spec)))).toBe(asked);
    return asked;
  };

  describe.concurrent('a job', () => {
    it('is refused with its kind where the account may not run it', { timeout }, async () => {
      expect(await verdict({ account: 'nobody-knows' })).toBe('invalid-account');
      expect(await verdict({ account: 'removed' })).toBe('invalid-account');
      expect(await verdict({ qos: 'nobody-knows' })).toBe('invalid-qos');
      expect(await verdict({ account: 'plain', qos: 'low' })).toBe('invalid-qos');
      expect(await verdict({ account: 'closed' })).toBe('limit-reached');
      expect(await verdict({ qos: 'strict', timeLimitSeconds: 1800 })).toBe('exceeds-limit');
      expect(await verdict({ qos: 'strict', cpusPerTask: 8 })).toBe('exceeds-limit');
      const stranger = runner.run('sbatch', ['--uid=nobody'], { input: renderScript(held({})) });
      expect(await kindOf(stranger)).toBe('invalid-account');
    });

    it('is refused for their number where the account allows no more jobs', { timeout }, async () => {
      const two = { account: 'two' };
      const array = { ...two, array: { indices: [0, 1, 2] } };
      expect(await verdict(array)).toBe('limit-reached');
      expect([await verdict(two), await verdict(two)]).toEqual(['taken', 'taken']);
      expect(await verdict(two)).toBe('limit-reached');
      expect([await verdict({ qos: 'one' }), await verdict({ qos: 'one' })]).toEqual([
        'taken',
        'limit-reached',
      ]);
    });

    it('is taken and waits for ever where the limit refuses nothing, which its reason tells', {
      timeout,
    }, async () => {
      const half = { hold: false, timeLimitSeconds: 1800 };
      const stuck = async (spec: Partial<JobSpec>, why: string) => {
        await testSubmit(runner, renderScript(held({ ...half, ...spec })));
        const id = await submitJob(runner, held({ ...half, ...spec }));
        await until(`a reason of ${JSON.stringify(spec)}`, async () => {
          const jobs = await Promise.all([
            readJob(runner, id),
            ...(['json', 'text'] as const).map(
              async (format) => (await readSqueue(runner, { ids: [id], format }))[0],
            ),
          ]);
          return jobs.every((job) => whyStuck(job?.reason)?.includes(why));
        });
        await cancelJobs(runner, [id]);
      };
      await Promise.all([
        stuck({ account: 'brief' }, 'one job'),
        stuck({ qos: 'lenient' }, 'one job'),
        stuck({ partition: 'members' }, 'its account'),
      ]);
    });

    it('that an account has no more time for is revived when it has, with nothing lost', {
      timeout,
    }, async () => {
      const run = on('budget');
      await run.submit({ steps: 1100, spec: { nodeList: node(1), account: 'budget' } });
      let waiting: string | undefined;
      await until(
        'its return to the queue',
        async () => {
          waiting = whyStuck((await run.job()).reason);
          return waiting !== undefined;
        },
        150_000,
      );
      expect(waiting).toContain('used up');
      // Slurm calls it the time limit, long before that of the job.
      expect(run.first('decision')).toMatchObject({ action: 'requeue-self', cause: 'time-limit' });
      await manage('modify account budget set GrpTRESMins=cpu=100000');
      expect(await run.ended()).toMatchObject({ state: 'COMPLETED', restarts: 1 });
      expect(run.state()).toEqual(undisturbed(1100));
      // Which of the two comes first to the database: the end of the run, or its own request.
      const ends = [expect.stringMatching(/^(?:TIMEOUT|REQUEUED)$/), 'COMPLETED'];
      expect(await pastStates(run.id)).toEqual(ends);
    });

    it.each([
      ['low', 2, 'requeue-self'],
      ['low-cancel', 3, 'requeue-self'],
      ['low-at-once', 4, 'wait-for-requeue'],
    ] as const)('that gives way by its QOS %s loses nothing', { timeout }, async (qos, place, action) => {
      const run = on(qos);
      await run.submit({ steps: 120, spec: { nodeList: node(place), qos } });
      await until('its start', () => run.count('start') === 1);
      await run.preempt(node(place), { qos: 'high' });
      expect(await run.ended()).toMatchObject({ state: 'COMPLETED', restarts: 1 });
      expect(run.state()).toEqual(undisturbed(120));
      expect(run.first('decision')).toMatchObject({ action });
      expect((await pastStates(run.id)).at(-1)).toBe('COMPLETED');
      expect(await pastStates(run.id)).toHaveLength(2);
    });

    it('is in the history with all its runs', { timeout }, async () => {
      const [failing, cancelled, requeued, limited] = ['failing', 'cancelled', 'requeued', 'limited'].map(on);
      await failing!.submit({ steps: 600, flags: ['--crash'], spec: { nodeList: node(5), cpusPerTask: 1 } });
      await cancelled!.submit({ steps: 600, spec: { nodeList: node(5), cpusPerTask: 1 } });
      await requeued!.submit({ steps: 80, spec: { nodeList: node(5), cpusPerTask: 1 } });
      const brief = { nodeList: node(6), timeLimitSeconds: 60, requeue: false };
      await limited!.submit({ steps: 2000, spec: brief });
      await until('their start', () => [cancelled, requeued].every((run) => run!.count('start') === 1));
      await cancelJobs(runner, [cancelled!.id]);
      await requeueJob(runner, requeued!.id);
      const expected = [
        [failing, ['REQUEUED', 'FAILED']],
        [cancelled, ['CANCELLED']],
        [requeued, ['REQUEUED', 'COMPLETED']],
        [limited, ['TIMEOUT']],
      ] as const;
      for (const [run, states] of expected) {
        expect((await run!.ended()).state).toBe(states.at(-1));
        expect(await pastStates(run!.id)).toEqual(states);
      }
    });

    it('is found by its number when the controller has forgotten it, tasks of arrays too', {
      timeout,
    }, async () => {
      const array = { hold: false, nodeList: node(7), array: { indices: [0, 1, 2], atOnce: 1 } };
      const command = ['bash', '-c', 'exit "$SLURM_ARRAY_TASK_ID"'];
      const ran = await submitJob(runner, held({ name: 'a|b $(x) é', ...array, command }));
      const never = await submitJob(runner, held({ array: { indices: [4, 6] } }));
      const part = await submitJob(runner, held({ array: { indices: [0, 1, 2] } }));
      const inDatabase = async () => (await readSacct(runner, { ids: [part] })).length;
      await until('the database to know it', async () => (await inDatabase()) === 3);
      await cancelJobs(runner, [`${part}_1`]);
      await cancelJobs(runner, [never]);
      const known = async () => (await readSqueue(runner, { ids: [ran, never] })).length;
      await until('their end', async () => (await readSacct(runner, { ids: [ran] })).every(isOver));
      await until('Slurm to forget them', async () => (await known()) === 0, 150_000);
      const tell = (jobs: Awaited<ReturnType<typeof findJobs>>) =>
        jobs.map(({ id, state, exitCode = '-' }) => `${id} ${state} ${exitCode}`).sort();
      expect(tell(await findJobs(runner, [ran]))).toEqual([
        `${ran}_0 COMPLETED 0`,
        `${ran}_1 FAILED 1`,
        `${ran}_2 FAILED 2`,
      ]);
      expect((await findJobs(runner, [`${ran}_1`]))[0]).toMatchObject({
        name: 'a|b $(x) é',
        state: 'FAILED',
      });
      expect(tell(await findJobs(runner, [never]))).toEqual([
        `${never}_4 CANCELLED 0`,
        `${never}_6 CANCELLED 0`,
      ]);
      // Nothing but the number of the array leads to a task that never started.
      expect(tell(await findJobs(runner, [`${never}_6`]))).toEqual([`${never}_6 CANCELLED 0`]);
      // Of a single task cancelled while it waits nothing is left; the database has it waiting for a while, with the others.
      const tasks = new Map((await findJobs(runner, [part])).map(({ id, state }) => [id, state]));
      expect([tasks.get(`${part}_0`), tasks.get(`${part}_2`)]).toEqual(['PENDING', 'PENDING']);
      expect(tasks.get(`${part}_1`) ?? 'UNKNOWN').toBe('UNKNOWN');
      await cancelJobs(runner, [part]);
    });
  });

  it('without an answer of slurmdbd only the history is missing', { timeout }, async () => {
    const id = await submitJob(runner, held({}));
    await site.stopAccounting();
    expect(await findJobs(runner, [id])).toMatchObject([{ id, state: 'PENDING' }]);
    expect(await kindOf(findJobs(runner, [id, '999999']))).toBe('accounting-unreachable');
    expect(await verdict({ account: 'nobody-knows' })).toBe('invalid-account');
    expect(await verdict({})).toBe('taken');
  });

  const isOver = ({ state }: { state: JobState }) => ['COMPLETED', 'FAILED', 'CANCELLED'].includes(state);

  /** States of all runs of a job in the database, which learns of them a little late. */
  async function pastStates(id: string): Promise<JobState[]> {
    let states: JobState[] = [];
    await until('the end of the job in the database', async () => {
      states = (await readSacct(runner, { ids: [id], everyRun: true })).map(({ state }) => state);
      return ['COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT'].includes(states.at(-1)!);
    });
    return states;
  }
});
