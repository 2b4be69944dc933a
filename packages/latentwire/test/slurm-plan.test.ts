/**
 * Protects `latentwire run PLAN --slurm` under a real Slurm: whatever happens to the arrays of a plan, each cell is done
 * once, with the bytes of an undisturbed run, and no job is left behind. Cells are stand-in trainings.
 */

import { requeueJob } from '@latentwire/slurm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provideSlurm } from '../../slurm/test/real-slurm/install.js';
import { type PrivateCluster, startCluster } from '../../slurm/test/real-slurm/private-cluster.js';
import { until } from '../../slurm/test/real-slurm/scenario.js';
import { type CompiledSources, compileSources } from './support/compile-sources.js';
import { PlanInSlurm, results } from './support/slurm-plan.js';
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
    cluster = await startCluster({ nodes: 3, sendUserSignal: false, graceSeconds: 5, killWait: 2 });
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
    compiled?.remove();
  }, 60_000);

  it('does each cell once, through two preemptions, a requeue and a controller that is away', {
    timeout,
  }, async () => {
    const plan = new PlanInSlurm(cluster, { text: TWELVE, folder: within('twelve'), fixture, stepMs: 80 });
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
    const running = (await plan.live()).find(({ array, state }) => array !== undefined && state === 'RUNNING');
    await requeueJob(plan.runner, running!.id);
    await plan.ended(200_000);

    expect(plan.problems()).toEqual([]);
    expect(results(plan.plan.directory)).toEqual(results((await plan.twin()).directory));
    const jobs = await plan.jobs();
    expect(jobs.filter(({ state }) => state !== 'COMPLETED')).toEqual([]);
    expect(jobs.filter(({ restarts = 0 }) => restarts > 0).length).toBeGreaterThanOrEqual(8);
    expect(await plan.submit()).toMatchObject({ arrays: [], queued: 0 });
  });
});
