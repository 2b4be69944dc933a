/**
 * Protects `latentwire run PLAN --slurm` under a real Slurm: whatever happens to the arrays of a plan, each cell is done
 * once, with the bytes of an undisturbed run, and no job is left behind. Cells are stand-in trainings.
 */

import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requeueJob } from '@latentwire/slurm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provideSlurm } from '../../slurm/test/real-slurm/install.js';
import { type PrivateCluster, startCluster } from '../../slurm/test/real-slurm/private-cluster.js';
import { until } from '../../slurm/test/real-slurm/scenario.js';
import { cellFiles } from '../src/experiments/index.js';
import { cancelPlan, readArrays } from '../src/experiments/slurm-plan/index.js';
import { silentLogger } from '../src/telemetry/index.js';
import { type CompiledSources, compileSources } from './support/compile-sources.js';
import { PlanInSlurm, type PlanSetting, results } from './support/slurm-plan.js';
import { temporaryFolder } from './support/temporary-folder.js';

const slurm = provideSlurm();
if (!slurm.available) console.warn(`plans under a real Slurm skipped: ${slurm.why}`);

const within = temporaryFolder();
const timeout = 240_000;

/** 12 cells; the last four wait for the gate of the first eight. */
const TWELVE = `version: 1
name: twelve
seeds: [1]
settings: {model.ids: [m], data.samples: 60, training.batch_size: 1, evaluation.eval_samples: 6}
resources: {cpus: 8}
retries: {crash: 5, no_progress: 20}
phases:
  - name: core
    kind: grid
    grid: {wire.latent_len: [4, 8, 16, 32], wire.d_z: [16, 32]}
  - name: later
    after: [core]
    gate: {phase: core, metric: latent.f1, above: token_budget.f1}
    settings: {data.samples: 30}
    grid: {wire.latent_len: [4, 8, 16, 32]}
`;

describe.skipIf(!slurm.available).concurrent('a plan as Slurm arrays', () => {
  let cluster: PrivateCluster;
  let compiled: CompiledSources;
  let fixture: string;

  beforeAll(async () => {
    compiled = compileSources(
      'experiments/stand-in-slurm.fixture.ts',
      'experiments/stand-in-cell.fixture.ts',
    );
    fixture = compiled.file('experiments/stand-in-slurm.fixture');
    cluster = await startCluster({
      ...{ nodes: 3, sendUserSignal: false, graceSeconds: 5, killWait: 2 },
      extra: ['EnforcePartLimits=ALL', 'PartitionName=members Nodes=ALL AllowAccounts=paid State=UP'],
    });
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
    compiled?.remove();
  }, 60_000);

  it('does each cell once, through two preemptions, a requeue and a controller that is away', {
    timeout,
  }, async () => {
    const plan = new PlanInSlurm(cluster, {
      text: TWELVE,
      folder: within('twelve'),
      fixture,
      stepMs: 80,
      profile: { exclude: cluster.nodes[2] },
    });
    const first = await plan.submit();
    expect(first.arrays.map(({ phase, cells }) => [phase, cells.length])).toEqual([['core', 8]]);
    expect(first.phases.get('later')).toMatchObject({ kind: 'waiting', on: ['core'] });
    await until('all cells of the phase at work', () => plan.workers().length === 8);
    const nodes = [...new Set((await plan.live()).flatMap(({ nodes }) => nodes ?? []))];
    expect(nodes).toHaveLength(2);
    for (const node of nodes) await plan.preempt(node);
    // Asked again in the middle of it: everything is in the queue.
    expect(await plan.submit()).toMatchObject({ arrays: [], queued: 8 });
    await until('their end', () => plan.workers().length === 0);
    await cluster.stopController();
    await cluster.startController();
    await until('all cells at work again', () => plan.workers().length === 8);
    const running = (await plan.live()).find(
      ({ array, state }) => array !== undefined && state === 'RUNNING',
    );
    await requeueJob(plan.runner, running!.id);
    await plan.ended(200_000);

    expect(plan.problems()).toEqual([]);
    expect(results(plan.plan.directory)).toEqual(results((await plan.twin()).directory));
    const jobs = await plan.jobs();
    expect(jobs.filter(({ state }) => state !== 'COMPLETED')).toEqual([]);
    expect(jobs.filter(({ restarts = 0 }) => restarts > 0).length).toBeGreaterThanOrEqual(8);
    expect(await plan.submit()).toMatchObject({ arrays: [], queued: 0 });
  });

  /** A plan on the third node, where nobody is preempted. */
  const quiet = (name: string, text: string, setting: Partial<PlanSetting> = {}) =>
    new PlanInSlurm(cluster, {
      ...{ text, folder: within(name), fixture, stepMs: 20 },
      ...setting,
      profile: { exclude: cluster.nodes.slice(0, 2).join(','), ...setting.profile },
    });
  /** Four cells in two arrays, by their resources. */
  const small = (name: string, samples = 20): string => `version: 1
name: ${name}
seeds: [1]
settings: {model.ids: [m], data.samples: ${samples}, training.batch_size: 1, evaluation.eval_samples: 6}
retries: {crash: 5, no_progress: 20}
phases:
  - {name: one, grid: {wire.latent_len: [4, 8]}}
  - {name: two, grid: {wire.latent_len: [16, 32]}, resources: {cpus: 2, memory_gb: 0.2, minutes: 30}}
`;
  const wholeAndAlone = async (plan: PlanInSlurm): Promise<void> => {
    await plan.ended(150_000);
    expect(plan.problems()).toEqual([]);
    expect(results(plan.plan.directory)).toEqual(results((await plan.twin()).directory));
  };

  it('comes back when its processes are killed, the batch shell too', { timeout }, async () => {
    const plan = quiet('killed', small('killed', 60), { stepMs: 60 });
    await plan.submit();
    await until('cells at work', () => plan.workers().length === 4);
    const [trainer, runner, shell] = plan.workers();
    process.kill(trainer!.trainer, 'SIGKILL');
    process.kill(runner!.runner, 'SIGKILL');
    process.kill(await plan.batchShell(shell!.cell), 'SIGKILL');
    await wholeAndAlone(plan);
    // The shell could not ask for a requeue: another task, or the guard, submitted its cell again.
    expect((await plan.jobs()).filter(({ array }) => array !== undefined)).toHaveLength(5);
  });

  it('gives a cell of several GPUs a task for each, which meet again after a requeue', {
    timeout,
  }, async () => {
    const text = small('ranks', 60).replace(
      /phases:[\s\S]*/,
      'resources: {gpus: 2, cpus: 2}\nphases: [{name: one}]\n',
    );
    const plan = quiet('ranks', text, { stepMs: 60, profile: { gpus_per_node: 4 } });
    const { arrays } = await plan.submit();
    const { folder } = cellFiles(plan.plan.directory, plan.plan.cells[0]!.name);
    const ranks = () => readFileSync(path.join(folder, 'ranks.txt'), 'utf8').trim().split('\n').sort();
    await until('both ranks', () => ranks().length === 2 && plan.steps() > 0);
    await requeueJob(plan.runner, `${arrays[0]!.job}_0`);
    await wholeAndAlone(plan);
    const address = ranks()[0]!.split(' ').at(-1);
    expect(ranks()).toEqual(['0 0 2', '0 0 2', '1 1 2', '1 1 2'].map((words) => `${words} ${address}`));
  });

  it('is cancelled as a whole, and goes on where it was', { timeout }, async () => {
    const plan = quiet('cancelled', small('cancelled', 60), { stepMs: 60 });
    await plan.submit();
    await until('cells at work', () => plan.workers().length === 4);
    const { jobs, tasks } = await cancelPlan(plan.plan.directory, 'cancelled', silentLogger, plan.runner);
    expect([jobs.length, tasks]).toEqual([3, 4]);
    await plan.ended(60_000);
    expect(plan.done()).toBe(0);
    expect((await plan.submit()).arrays).toHaveLength(2);
    await wholeAndAlone(plan);
    const first = plan.plan.cells[0]!.name;
    expect(plan.attempts(first).flatMap((e) => (e.event === 'end' ? [e.cause] : []))).toEqual([
      'preempted',
      'completed',
    ]);
  });

  it('finds its jobs again when the record of a submission is not complete or lost', {
    timeout,
  }, async () => {
    const plan = quiet('records', small('records', 100), { stepMs: 50 });
    await plan.submit({ guard: false });
    const records = readArrays(plan.plan.directory);
    const file = (name: string) => path.join(plan.plan.directory, '.experiment/slurm/arrays', name);
    // As if the process had died between sbatch and its answer.
    writeFileSync(file(`${records[0]!.submission}.json`), JSON.stringify({ ...records[0], job: null }));
    expect(await plan.submit({ guard: false })).toMatchObject({ arrays: [], queued: 4 });
    expect(readArrays(plan.plan.directory)[0]!.job).toBe(records[0]!.job);
    // As if it had died before sbatch: the cells are not in the queue, and are submitted.
    const lost = JSON.stringify({ ...records[1], submission: 'x', name: 'n', job: null, created_at: '2' });
    writeFileSync(file('x.json'), lost);
    expect(await plan.submit({ guard: false })).toMatchObject({ arrays: [], queued: 4 });
    const saved = readFileSync(file(`${records[1]!.submission}.json`));
    rmSync(file(`${records[1]!.submission}.json`));
    await expect(plan.submit()).rejects.toThrow(
      `job ${records[1]!.job} in the queue work for this directory, but the record of which cells they run is gone`,
    );
    writeFileSync(file(`${records[1]!.submission}.json`), saved);
    await wholeAndAlone(plan);
  });

  it('takes a folder of any name, and refuses what no batch script can hold', { timeout }, async () => {
    const folder = within(` a'b"c $(touch ${within('executed')}) \`id\` ;#%j|&é* `.replaceAll('/', '_'));
    const plan = quiet('hostile', small('hostile'), { folder });
    await plan.submit();
    await wholeAndAlone(plan);
    expect(existsSync(within('executed'))).toBe(false);
    const broken = quiet('broken', small('broken'), { folder: within('two\nlines') });
    await expect(broken.submit()).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining('one line'),
    });
    expect(await broken.jobs()).toEqual([]);
  });

  it('submits nothing where Slurm is away, not there, or says no, and says why', { timeout }, async () => {
    const plan = quiet('refused', small('refused'));
    const conf = within('elsewhere.conf');
    writeFileSync(
      conf,
      readFileSync(cluster.env.SLURM_CONF!, 'utf8').replace(/SlurmctldPort=.*/, 'SlurmctldPort=1'),
    );
    const refusals: [setting: object, code: string, message: RegExp, hint: RegExp][] = [
      [
        { env: { ...cluster.env, SLURM_CONF: conf } },
        'state',
        /Unable to contact slurm controller/,
        /scontrol ping/,
      ],
      [
        { env: { ...cluster.env, PATH: within('empty') } },
        'state',
        /Slurm's squeue on PATH, found none/,
        /login node/,
      ],
      [
        { profile: { partition: 'members', account: 'expired' } },
        'input',
        /Invalid account/,
        /sacctmgr show/,
      ],
      [{ profile: { partition: 'nowhere' } }, 'input', /[Ii]nvalid partition/, /sinfo/],
      [
        { profile: { memory: '9000T' } },
        'input',
        /Memory required|configuration is not available/,
        /ask for less/,
      ],
    ];
    for (const [setting, code, message, hint] of refusals) {
      const refused = quiet('refused', small('refused'), setting);
      await expect(refused.submit()).rejects.toMatchObject({
        ...{
          name: 'LatentWireError',
          code,
          message: expect.stringMatching(message),
          hint: expect.stringMatching(hint),
        },
      });
    }
    expect(await plan.live()).toEqual([]);
    expect(readArrays(plan.plan.directory)).toEqual([]);
  });

  it('can be continued when it was submitted by half', { timeout }, async () => {
    const sbatch = within('half', 'sbatch');
    mkdirSync(within('half'));
    const says =
      'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)';
    writeFileSync(
      sbatch,
      `#!/bin/bash
[ "$1" = --test-only ] || { echo >> ${sbatch}.calls; [ $(wc -l < ${sbatch}.calls) -le 2 ] || { echo "${says}" >&2; exit 1; }; }
exec /usr/bin/env PATH="$REAL_PATH" sbatch "$@"
`,
    );
    chmodSync(sbatch, 0o755);
    const { PATH } = cluster.env;
    const env = { ...cluster.env, REAL_PATH: PATH, PATH: `${within('half')}:${PATH}` };
    const half = quiet('by-half', small('by-half'), { env });
    await expect(half.submit()).rejects.toThrow(
      /^2 of 4 cells were not submitted: .*Unable to contact slurm controller.*; in the queue: \d+ \(one, 2 cells\)$/,
    );
    const whole = quiet('by-half', small('by-half'));
    const { arrays } = await whole.submit();
    expect(arrays.flatMap(({ phase }) => phase)).not.toContain('one');
    await wholeAndAlone(whole);
  });

  it('submits what a full queue has room for, and its tasks and its guard the rest', {
    timeout,
  }, async () => {
    const crowded = await startCluster({ nodes: 1, extra: ['MaxJobCount=8'], minJobAge: 2 });
    try {
      const text = TWELVE.replace('samples: 60', 'samples: 20');
      const plan = new PlanInSlurm(crowded, { text, folder: within('full'), fixture, stepMs: 50 });
      const first = await plan.submit();
      expect(first.left.length).toBeGreaterThan(0);
      expect(first.full).toMatch(/unable to accept job|queue full/);
      await until('the end', async () => plan.done() === 12 && (await plan.live()).length === 0, 150_000);
      expect(plan.problems()).toEqual([]);
    } finally {
      await crowded.stop();
    }
  });
});
