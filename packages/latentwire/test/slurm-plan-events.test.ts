/**
 * Twenty random events over one plan of stand-in trainings: preemption, a time limit, a requeue, a bare signal, kill -9 of
 * a training, of the process that looks after it and of the batch shell, a lost node, a controller that is away, and
 * `run --slurm` again in the middle of it. Takes some minutes:
 * LATENTWIRE_SLURM_STRESS=SEED npx vitest run packages/latentwire/test/slurm-plan-events
 * saves its figures as bench/results/slurm-plan-events-SEED.json.
 */
import { requeueJob } from '@latentwire/slurm';
import { describe, expect, it } from 'vitest';
import { provideSlurm } from '../../slurm/test/real-slurm/install.js';
import { startCluster } from '../../slurm/test/real-slurm/private-cluster.js';
import { compileSources } from './support/compile-sources.js';
import { PlanInSlurm, results } from './support/slurm-plan.js';
import { temporaryFolder } from './support/temporary-folder.js';

const seed = process.env.LATENTWIRE_SLURM_STRESS;
const within = temporaryFolder();
const saver = new URL('../../../bench/save-result.mjs', import.meta.url).href;
const EVENTS = 20;
const PLAN = `version: 1
name: stormy
seeds: [1]
settings: {model.ids: [m], data.samples: 300, training.batch_size: 1, evaluation.eval_samples: 6}
retries: {crash: 40, no_progress: 40}
resources: {cpus: 8, minutes: 2}
phases:
  - name: core
    grid: {wire.latent_len: [4, 8, 16, 32], wire.d_z: [16, 32]}
  - name: later
    after: [core]
    gate: {phase: core, metric: latent.f1, above: token_budget.f1}
    grid: {wire.latent_len: [5, 9, 17, 33]}
`;
const KINDS = [
  ...['preempt', 'preempt', 'requeue', 'signal', 'kill training', 'kill runner', 'kill shell'],
  ...['lost node', 'controller', 'run again'],
] as const;

describe.skipIf(seed === undefined || !provideSlurm().available)('random events', () => {
  it('lose no step beyond the last save, no row, no requeue and no cell', {
    timeout: 1_500_000,
  }, async () => {
    const compiled = compileSources(
      'experiments/stand-in-slurm.fixture.ts',
      'experiments/stand-in-cell.fixture.ts',
    );
    const cluster = await startCluster({ nodes: 4, sendUserSignal: false, graceSeconds: 5, killWait: 3 });
    const random = generator(Number(seed));
    const started = Date.now();
    try {
      const fixture = compiled.file('experiments/stand-in-slurm.fixture');
      // The limit of two minutes is met as well: 300 steps take longer than that.
      const plan = new PlanInSlurm(cluster, { text: PLAN, folder: within('plan'), fixture, stepMs: 400 });
      await plan.submit();
      const happened: Record<string, number> = {};
      let events = 0;
      while (events < EVENTS) {
        await new Promise((resolve) => setTimeout(resolve, 1000 + 7000 * random()));
        const kind = KINDS[Math.floor(random() * KINDS.length)]!;
        if (!(await disturb(kind))) continue;
        if (kind !== 'run again') events += 1;
        happened[kind] = (happened[kind] ?? 0) + 1;
      }
      await plan.ended(900_000);
      const causes: Record<string, number> = {};
      for (const { name } of plan.plan.cells) {
        for (const event of plan.attempts(name)) {
          if (event.event === 'end') causes[event.cause] = (causes[event.cause] ?? 0) + 1;
        }
      }
      const why: Record<string, number> = {};
      for (const cause of plan.plan.cells.flatMap(({ name }) => plan.decisions(name))) {
        why[cause] = (why[cause] ?? 0) + 1;
      }
      const jobs = await plan.jobs();
      const tasks = jobs.filter(({ array }) => array !== undefined);
      const submitted = tasks.length;
      const restarts = tasks.reduce((sum, job) => sum + (job.restarts ?? 0), 0);
      const problems = plan.problems();
      const found = results(plan.plan.directory);
      const expected = results((await plan.twin()).directory);
      const differing = Object.keys(expected).filter((file) => found[file] !== expected[file]);
      const left = cluster.leftOver();
      const seconds = Math.round((Date.now() - started) / 1000);
      const { saveResult } = (await import(saver)) as { saveResult(name: string, result: object): void };
      saveResult(`slurm-plan-events-${seed}`, {
        ...{ seed: Number(seed), events, happened, cells: plan.plan.cells.length, steps: plan.steps() },
        ...{
          attempts_ended: causes,
          tasks_stopped_for: why,
          tasks_submitted: submitted,
          slurm_restarts: restarts,
          seconds,
        },
        // Problems: steps lost beyond a save, rows twice, cells that did not complete once.
        ...{ problems, files_compared: Object.keys(expected).length, differing, processes_left: left.length },
      });
      expect(problems).toEqual([]);
      expect(found).toEqual(expected);
      expect(left).toEqual([]);

      async function disturb(kind: (typeof KINDS)[number]): Promise<boolean> {
        if (kind === 'run again') {
          await plan.submit();
          return true;
        }
        if (kind === 'controller') {
          await cluster.stopController();
          await cluster.startController();
          return true;
        }
        const at = (await plan.live()).filter(
          ({ array, state }) => array !== undefined && state === 'RUNNING',
        );
        const workers = plan.workers();
        const job = at[Math.floor(random() * at.length)];
        const worker = workers[Math.floor(random() * workers.length)];
        if (job?.nodes === undefined || worker === undefined) return false;
        const node = job.nodes;
        if (kind === 'preempt') await plan.preempt(node);
        else if (kind === 'requeue') await requeueJob(plan.runner, job.id).catch(() => {});
        else if (kind === 'signal') await cluster.run('scancel', '--signal=TERM', job.id).catch(() => {});
        else if (kind === 'lost node') {
          await cluster.run('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test');
          setTimeout(() => {
            void cluster.run('scontrol', 'update', `nodename=${node}`, 'state=resume').catch(() => {});
          }, 15_000);
        } else if (kind === 'kill training') process.kill(worker.trainer, 'SIGKILL');
        else if (kind === 'kill runner') process.kill(worker.runner, 'SIGKILL');
        else process.kill(await plan.batchShell(worker.cell), 'SIGKILL');
        return true;
      }
    } finally {
      await cluster.stop();
      compiled.remove();
    }
  });
});

/** mulberry32: enough for a choice of events. */
function generator(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
