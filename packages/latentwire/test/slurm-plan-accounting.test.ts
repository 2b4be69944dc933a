/**
 * Plans as Slurm arrays against real accounts (slurmdbd and MariaDB): what an account may not run is refused whole and with
 * its reason, what it may run is done. Opt-in as packages/slurm/test/accounting.test.ts: LATENTWIRE_TEST_SLURMDBD=1.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provideSlurm } from '../../slurm/test/real-slurm/install.js';
import { accountingAvailable } from '../../slurm/test/real-slurm/private-accounting.js';
import { type PrivateCluster, startCluster } from '../../slurm/test/real-slurm/private-cluster.js';
import { until } from '../../slurm/test/real-slurm/scenario.js';
import { stuckLines } from '../src/cli/stuck-jobs.js';
import {
  queueStatus,
  readArrays,
  readSubmittedPlan,
  submittedPlanFile,
} from '../src/experiments/slurm-plan/index.js';
import { type CompiledSources, compileSources } from './support/compile-sources.js';
import { PlanInSlurm, results } from './support/slurm-plan.js';
import { temporaryFolder } from './support/temporary-folder.js';

const accounting = accountingAvailable();
const slurm = accounting.available ? provideSlurm() : accounting;
if (!slurm.available) console.warn(`plans under real accounting skipped: ${slurm.why}`);

const within = temporaryFolder();
const timeout = 200_000;

const ACCOUNTS = ['open', 'closed', 'two', 'brief', 'gone'];
const SITE = [
  ...ACCOUNTS.map((name) => `add account ${name} Description=test Organization=test`),
  ...ACCOUNTS.map((name) => `add user root account=${name}`),
  'add qos strict MaxWall=30 flags=DenyOnLimit',
  'add qos others',
  'modify user root set qos+=strict',
  'modify account closed set GrpSubmitJobs=0',
  'modify user root where account=two set MaxSubmitJobs=3',
  'modify account brief set MaxWall=5',
  'delete user root account=gone',
];

/** Four cells in two arrays; those of the second may be longer. */
const four = (name: string, minutes = 20): string => `version: 1
name: ${name}
seeds: [1]
settings: {model.ids: [m], data.samples: 20, training.batch_size: 1, evaluation.eval_samples: 6}
retries: {crash: 5, no_progress: 20}
phases:
  - {name: one, grid: {wire.latent_len: [4, 8]}}
  - {name: two, grid: {wire.latent_len: [16, 32]}, resources: {cpus: 2, minutes: ${minutes}}}
`;

describe.skipIf(!slurm.available)('a plan under real accounting', () => {
  let cluster: PrivateCluster;
  let compiled: CompiledSources;

  beforeAll(async () => {
    compiled = compileSources(
      'experiments/stand-in-slurm.fixture.ts',
      'experiments/stand-in-cell.fixture.ts',
    );
    cluster = await startCluster({ nodes: 1, accounting: true, minJobAge: 5 });
    for (const words of SITE) await cluster.run('sacctmgr', '--immediate', '--quiet', ...words.split(' '));
  }, 180_000);
  afterAll(async () => {
    await cluster?.stop();
    compiled?.remove();
  }, 60_000);

  const planOf = (name: string, profile: object, text = four(name)): PlanInSlurm =>
    new PlanInSlurm(cluster, {
      ...{ text, folder: within(name), stepMs: 20 },
      fixture: compiled.file('experiments/stand-in-slurm.fixture'),
      profile: { time: '00:20:00', ...profile },
    });

  it('submits nothing that its account may not run, and says what to do', { timeout }, async () => {
    const refusals: [name: string, profile: object, code: string, message: RegExp, hint: RegExp][] = [
      ['unknown', { account: 'nobody-knows' }, 'input', /Invalid account/, /sacctmgr show associations/],
      ['gone', { account: 'gone' }, 'input', /Invalid account/, /sacctmgr show associations/],
      ['no-qos', { account: 'open', qos: 'others' }, 'input', /Invalid qos/, /see the QOS/],
      ['closed', { account: 'closed' }, 'state', /AssocGrpSubmitJobsLimit/, /closed account/],
      ['long', { qos: 'strict' }, 'input', /QOSMaxWallDurationPerJobLimit/, /ask for less time/],
    ];
    for (const [name, profile, code, message, hint] of refusals) {
      // The first array of each would be taken; the second is too long for the QOS `strict`.
      const plan = planOf(name, profile, four(name, 60));
      await expect(plan.submit(), name).rejects.toMatchObject({
        ...{ name: 'LatentWireError', code },
        ...{ message: expect.stringMatching(message), hint: expect.stringMatching(hint) },
      });
      expect(await plan.live(), name).toEqual([]);
      expect(readArrays(plan.plan.directory), name).toEqual([]);
    }
  });

  it('goes on from a refusal when the account may run it', { timeout }, async () => {
    const plan = planOf('closed', { account: 'open' }, four('closed', 60));
    expect((await plan.submit()).arrays).toHaveLength(2);
    await plan.ended(120_000);
    expect(plan.problems()).toEqual([]);
    expect(results(plan.plan.directory)).toEqual(results((await plan.twin()).directory));
  });

  it('is done bit by bit where the account allows three jobs at once', { timeout }, async () => {
    const plan = planOf('two', { account: 'two' });
    const first = await plan.submit();
    expect(first.full).toMatch(/AssocMaxSubmitJobLimit/);
    expect(first.left.length).toBeGreaterThan(0);
    await until('the end', async () => plan.done() === 4 && (await plan.live()).length === 0, 150_000);
    expect(plan.problems()).toEqual([]);
    expect(results(plan.plan.directory)).toEqual(results((await plan.twin()).directory));
  });

  it('shows that its tasks wait for ever where the limit refuses nothing', { timeout }, async () => {
    const plan = planOf('brief', { account: 'brief' });
    expect((await plan.submit()).arrays).toHaveLength(2);
    let lines: string[] = [];
    await until('the reason', async () => {
      const { cells } = (await queueStatus(plan.plan.directory, plan.runner))!;
      lines = await stuckLines(Object.values(cells).map(({ job, ...rest }) => ({ id: job, ...rest })));
      return lines.length > 0;
    });
    expect(lines).toEqual([
      expect.stringMatching(
        /^\d+_0 and 3 more will not start by waiting \(AssocMaxWallDurationPerJobLimit\): it asks for more/,
      ),
    ]);
    expect(readSubmittedPlan(submittedPlanFile(plan.plan.directory, 'brief'))?.cancelled).toBe(false);
    await cluster.run('scancel', '--user=root');
    await plan.ended(60_000);
  });

  it('learns from the database how tasks ended that Slurm has forgotten', { timeout }, async () => {
    const plan = planOf('forgotten', { account: 'brief' });
    const { arrays } = await plan.submit({ guard: false });
    await cluster.run('scancel', ...arrays.map(({ job }) => job));
    await until('Slurm to forget them', async () => (await plan.jobs()).length === 0, 120_000);
    const [record] = readArrays(plan.plan.directory);
    expect(record!.ended).toBeNull();
    // Asked again with an account that may: the cancelled ones were noted as such, and everything is done.
    const again = planOf('forgotten', { account: 'open' });
    expect((await again.submit()).arrays).toHaveLength(2);
    expect(readArrays(plan.plan.directory)[0]!.ended).toEqual(['CANCELLED', 'CANCELLED']);
    await again.ended(120_000);
    expect(again.problems()).toEqual([]);
  });
});
