/**
 * Twenty random events over six runs: preemption, requeue, a bare signal, kill -9, a lost node, a controller that is
 * away for a while. Takes some minutes: LATENTWIRE_SLURM_STRESS=SEED npx vitest run packages/slurm/test/random-events
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { jobPhase, requeueJob } from '../src/index.js';
import { compilePackage } from './real-slurm/compile.js';
import { provideSlurm } from './real-slurm/install.js';
import { startCluster } from './real-slurm/private-cluster.js';
import { Scenario, undisturbed, until } from './real-slurm/scenario.js';

const seed = process.env.LATENTWIRE_SLURM_STRESS;
const RUNS = 6;
const EVENTS = 20;
const STEPS = 900;
const SAVE_EVERY = 5;

describe.skipIf(seed === undefined || !provideSlurm().available)('random events', () => {
  it('lose no step beyond the last save, no requeue, and no run', { timeout: 900_000 }, async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-slurm-'));
    const packageFile = compilePackage(folder);
    const cluster = await startCluster({ nodes: RUNS, sendUserSignal: false });
    const random = generator(Number(seed));
    try {
      const runs = cluster.nodes.map((node, index) => ({
        node,
        scenario: new Scenario(cluster, packageFile, `run${index}`),
        kills: 0,
      }));
      const submit = ({ scenario, node }: (typeof runs)[number]) =>
        scenario.submit({
          ...{ steps: STEPS, flags: ['--save-every', String(SAVE_EVERY)] },
          spec: { partition: 'preempt', nodeList: node },
        });
      for (const run of runs) await submit(run);

      const happened: Record<string, number> = {};
      for (let event = 0; event < EVENTS; event++) {
        await new Promise((resolve) => setTimeout(resolve, 1000 + 4000 * random()));
        const run = runs[Math.floor(random() * RUNS)]!;
        const { scenario, node } = run;
        const kind = KINDS[Math.floor(random() * KINDS.length)]!;
        happened[kind] = (happened[kind] ?? 0) + 1;
        if (kind === 'controller') {
          await cluster.stopController();
          await cluster.startController();
          continue;
        }
        const job = await scenario.job();
        if (jobPhase(job.state) === 'ended') continue; // done already: nothing to disturb
        if (kind === 'preempt') await scenario.preempt(node);
        else if (kind === 'requeue') await requeueJob(scenario.runner, scenario.id).catch(() => {});
        else if (kind === 'signal')
          await cluster.run('scancel', '--signal=TERM', scenario.id).catch(() => {});
        else if (kind === 'node') {
          await cluster.run('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test');
        } else {
          const pid = scenario.events().at(-1)?.pid;
          if (pid === undefined || !existsSync(`/proc/${pid}`)) continue;
          process.kill(pid, 'SIGKILL');
          run.kills += 1;
          // Slurm rightly calls that failed; whoever runs the plan submits the run again.
          await scenario.ended();
          if ((await scenario.job()).state === 'FAILED') await submit(run);
        }
      }
      for (const { scenario, node } of runs) {
        await cluster.run('scontrol', 'update', `nodename=${node}`, 'state=resume').catch(() => {});
        expect(await scenario.ended(scenario.id, 400_000)).toMatchObject({ state: 'COMPLETED' });
        expect(scenario.state()).toEqual(undisturbed(STEPS));
        const starts = scenario.events().filter(({ event }) => event === 'start');
        const finished = scenario
          .events()
          .filter(({ action, event }) => event === 'exit' && action === 'exit-finished');
        expect(finished).toHaveLength(1);
        // Where an attempt begins, the one before it had saved: nothing before a save is ever computed again.
        const saves = scenario.events().filter(({ event }) => event === 'saved');
        for (const { step } of saves.slice(0, -1)) {
          expect(starts.some(({ from }) => from !== undefined && from >= step!)).toBe(true);
        }
      }
      await until('an empty queue', async () => (await cluster.run('squeue', '--noheader')) === '');
      expect(cluster.leftOver()).toEqual([]);
      const attempts = runs.map(({ scenario }) => scenario.count('start'));
      console.log(
        JSON.stringify({ seed: Number(seed), happened, attempts, kills: runs.map(({ kills }) => kills) }),
      );
    } finally {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const KINDS = ['preempt', 'preempt', 'requeue', 'signal', 'kill', 'node', 'controller'] as const;

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
