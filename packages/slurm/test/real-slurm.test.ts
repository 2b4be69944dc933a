/**
 * The policy against a real Slurm: whatever happens to a job, it ends once, with the result of an undisturbed run, and
 * nothing of it is left. All scenarios run at the same time on two clusters; each has nodes of its own.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cancelJobs, readSqueue, requeueJob, testSubmit } from '../src/index.js';
import { compilePackage } from './real-slurm/compile.js';
import { provideSlurm } from './real-slurm/install.js';
import { type PrivateCluster, startCluster } from './real-slurm/private-cluster.js';
import { Scenario, undisturbed, until } from './real-slurm/scenario.js';

const slurm = provideSlurm();
if (!slurm.available) console.warn(`real Slurm tests skipped: ${slurm.why}`);

const timeout = 230_000;

describe.skipIf(!slurm.available).concurrent('a job under a real Slurm', () => {
  let site: PrivateCluster;
  /** As most sites: --signal counts for the time limit only. */
  let plainSite: PrivateCluster;
  let packageFile: string;
  const compiled = mkdtempSync(path.join(os.tmpdir(), 'latentwire-slurm-'));

  beforeAll(async () => {
    packageFile = compilePackage(compiled);
    [site, plainSite] = await Promise.all([
      startCluster({ nodes: 12, sendUserSignal: true }),
      startCluster({ nodes: 2, sendUserSignal: false }),
    ]);
  }, 120_000);

  afterAll(async () => {
    const clusters = [site, plainSite].filter((cluster) => cluster !== undefined);
    try {
      for (const cluster of clusters) {
        await until('the end of all jobs', async () => (await cluster.run('squeue', '--noheader')) === '');
        await until('the end of all processes', () => cluster.leftOver().length === 0);
      }
    } finally {
      await Promise.all(clusters.map((cluster) => cluster.stop()));
      rmSync(compiled, { recursive: true, force: true });
    }
  }, 120_000);

  const on = (cluster: PrivateCluster, name: string) => new Scenario(cluster, packageFile, name);
  const node = (index: number) => site.nodes[index - 1]!;

  describe('when preempted', () => {
    it('stays until Slurm requeues it, warned by its own signal', { timeout }, async () => {
      const run = on(site, 'preempted-usr1');
      const signal = { name: 'USR1', secondsBefore: 60, to: 'tasks' } as const;
      await run.submit({ steps: 120, spec: { partition: 'preempt', nodeList: node(1), signal } });
      await until('its start', () => run.count('start') === 1);
      await run.preempt(node(1));

      expect(await run.ended()).toMatchObject({ state: 'COMPLETED', restarts: 1 });
      expect(await run.runs()).toEqual(['PREEMPTED', 'COMPLETED']);
      expect(run.state()).toEqual(undisturbed(120));
      expect(run.first('saved')).toMatchObject({ signal: 'SIGUSR1' });
      expect(run.first('decision')).toMatchObject({ action: 'wait-for-requeue', cause: 'preemption' });
      // Appended: the second run has not emptied the file of the first.
      expect(run.output().match(/start from \d+/g)).toHaveLength(2);
    });

    it('stays also where --signal does not count for preemption', { timeout }, async () => {
      const run = on(plainSite, 'preempted-plain');
      const signal = { name: 'USR1', secondsBefore: 60, to: 'tasks' } as const;
      const nodeList = plainSite.nodes[0]!;
      await run.submit({ steps: 120, spec: { partition: 'preempt', nodeList, signal } });
      await until('its start', () => run.count('start') === 1);
      await run.preempt(nodeList);

      expect(await run.ended()).toMatchObject({ state: 'COMPLETED', restarts: 1 });
      expect(run.first('saved')).toMatchObject({ signal: 'SIGTERM' });
      expect(run.state()).toEqual(undisturbed(120));
    });

    it('requeues itself where the partition would only cancel it', { timeout }, async () => {
      const run = on(site, 'preempted-cancel');
      await run.submit({ steps: 80, spec: { partition: 'preempt-cancel', nodeList: node(2) } });
      await until('its start', () => run.count('start') === 1);
      await run.preempt(node(2));

      expect(await run.ended()).toMatchObject({ state: 'COMPLETED', restarts: 1 });
      expect(run.first('decision')).toMatchObject({ action: 'requeue-self', cause: 'preemption' });
      expect(run.state()).toEqual(undisturbed(80));
    });

    it('keeps its index as an array task, twice', { timeout }, async () => {
      const run = on(site, 'preempted-array');
      const spec = { partition: 'preempt', nodeList: node(3), cpusPerTask: 8, array: { indices: [4, 7] } };
      const id = await run.submit({ steps: 150, spec });
      const tasks = ['-4', '-7'];
      for (const times of [1, 2]) {
        await until('both tasks', () => tasks.every((task) => run.count('start', task) === times));
        await run.preempt(node(3));
      }
      for (const task of [4, 7]) {
        expect(await run.ended(`${id}_${task}`)).toMatchObject({ state: 'COMPLETED', restarts: 2 });
        expect(run.state(`-${task}`)).toEqual(undisturbed(150));
        const finished = run.events(`-${task}`).filter(({ action }) => action === 'exit-finished');
        expect(finished.filter(({ event }) => event === 'exit')).toHaveLength(1);
      }
    });
  });

  describe('at its time limit', () => {
    const minute = { timeLimitSeconds: 60 };

    it('requeues itself on the warning', { timeout }, async () => {
      const run = on(site, 'limit-warned');
      const signal = { name: 'TERM', secondsBefore: 20, to: 'tasks' } as const;
      await run.submit({ steps: 240, stepMs: 200, spec: { nodeList: node(4), signal, ...minute } });
      const job = await run.ended();
      expect(job.state).toBe('COMPLETED');
      expect(job.restarts).toBeGreaterThanOrEqual(1);
      expect(run.first('decision')).toMatchObject({ action: 'requeue-self', cause: 'time-limit' });
      expect(run.state()).toEqual(undisturbed(240));
    });

    it('needs no warning: it knows its end time', { timeout }, async () => {
      const run = on(site, 'limit-known');
      await run.submit({ steps: 200, flags: ['--lead', '45'], spec: { nodeList: node(5), ...minute } });
      const job = await run.ended();
      expect(job.state).toBe('COMPLETED');
      expect(job.restarts).toBeGreaterThanOrEqual(1);
      expect(run.first('saved')).toMatchObject({ stop: 'time-limit' });
      expect(run.state()).toEqual(undisturbed(200));
    });

    it('is revived while Slurm is already ending it', { timeout }, async () => {
      const run = on(site, 'limit-hit');
      await run.submit({ steps: 480, stepMs: 200, spec: { nodeList: node(6), ...minute } });
      expect(await run.ended()).toMatchObject({ state: 'COMPLETED', restarts: 1 });
      expect(await run.runs()).toContain('TIMEOUT');
      expect(run.state()).toEqual(undisturbed(480));
    });
  });

  it('is not revived when it was cancelled', { timeout }, async () => {
    const run = on(site, 'cancelled');
    const id = await run.submit({ steps: 600, spec: { nodeList: node(7) } });
    await until('its start', () => run.count('start') === 1);
    await cancelJobs(run.runner, [id]);
    expect(await run.ended()).toMatchObject({ state: 'CANCELLED', restarts: 0 });
    expect(run.first('exit')).toMatchObject({ action: 'exit-failed', cause: 'cancelled' });
    expect(run.state().digest).toBe(undisturbed(run.state().step).digest);
  });

  it('goes on elsewhere when its node is lost, and the old copy leaves', { timeout }, async () => {
    const run = on(site, 'node-down');
    await run.submit({ steps: 100, spec: { exclude: allBut(8, 9) } });
    await until('its start', () => run.count('start') === 1);
    const lost = run.first('start')!.node;
    // Drained first: a node that is only down comes back at its next registration.
    for (const state of ['drain', 'down']) {
      await site.run('scontrol', 'update', `nodename=${lost}`, `state=${state}`, 'reason=test');
    }
    const job = await run.ended();
    expect(job).toMatchObject({ state: 'COMPLETED', restarts: 1 });
    expect(run.state()).toEqual(undisturbed(100));
    const [, second] = run.events().filter(({ event }) => event === 'start');
    expect(second!.node).not.toBe(lost);
    // The first copy had saved and gone before the second one started.
    expect(run.first('exit')).toMatchObject({ cause: 'requeued', exitCode: 0 });
    expect(run.first('exit')!.at).toBeLessThan(second!.at);
  });

  it('loses nothing to a signal that comes before its handlers', { timeout }, async () => {
    const run = on(site, 'early-signal');
    const slow = { prefix: ['bash', '-c', 'echo waiting; sleep 4; exec "$@"', 'task'] };
    const id = await run.submit({ steps: 20, spec: { nodeList: node(10), cpusPerTask: 1, container: slow } });
    await until('the delay', () => run.hasOutput('waiting'));
    await site.run('scancel', '--signal=TERM', id);
    expect(await run.ended()).toMatchObject({ state: 'COMPLETED', restarts: 1 });
    expect(run.state()).toEqual(undisturbed(20));
  });

  it('is given up when the same crash comes twice', { timeout }, async () => {
    const run = on(site, 'crashing');
    await run.submit({ steps: 600, flags: ['--crash'], spec: { nodeList: node(10), cpusPerTask: 1 } });
    expect(await run.ended()).toMatchObject({ state: 'FAILED', restarts: 1 });
    expect(
      run
        .events()
        .filter(({ event }) => event === 'exit')
        .at(-1),
    ).toMatchObject({ exitCode: 1 });
  });

  it('is given up when it makes no progress between time limits', { timeout }, async () => {
    const run = on(site, 'idle');
    const spec = { nodeList: node(11), timeLimitSeconds: 60 };
    await run.submit({ steps: 600, flags: ['--idle', '--lead', '57'], spec });
    expect(await run.ended()).toMatchObject({ state: 'FAILED', restarts: 1 });
  });

  it('requeues one task of an array and leaves the others alone', { timeout }, async () => {
    const run = on(site, 'array-requeue');
    const array = { indices: [0, 1, 2], atOnce: 2 };
    const id = await run.submit({ steps: 60, spec: { nodeList: node(12), cpusPerTask: 4, array } });
    await until('task 1', () => run.count('start', '-1') === 1);
    await requeueJob(run.runner, `${id}_1`);
    for (const task of [0, 1, 2]) {
      expect(await run.ended(`${id}_${task}`)).toMatchObject({
        state: 'COMPLETED',
        restarts: task === 1 ? 1 : 0,
      });
      expect(run.state(`-${task}`)).toEqual(undisturbed(60));
    }
  });

  it('survives a controller that is away when it has to stop', { timeout }, async () => {
    const run = on(plainSite, 'controller');
    await run.submit({ steps: 150, spec: { nodeList: plainSite.nodes[1]! } });
    await until('its start', () => run.count('start') === 1);
    await plainSite.stopController();
    process.kill(run.first('start')!.pid, 'SIGTERM');
    await until('its save', () => run.count('decision') === 1);
    expect(run.first('decision')).toMatchObject({ action: 'wait-for-requeue', cause: 'unknown' });
    // Submitted into the outage, once: sbatch is tried again until the controller is back.
    const late = on(plainSite, 'submitted-in-outage');
    const submission = late.submit({ steps: 5, spec: { nodeList: plainSite.nodes[1]!, cpusPerTask: 1 } });
    await plainSite.startController();
    await submission;

    expect(await run.ended()).toMatchObject({ state: 'COMPLETED', restarts: 1 });
    expect(run.state()).toEqual(undisturbed(150));
    expect(await late.ended()).toMatchObject({ state: 'COMPLETED', restarts: 0 });
    expect(await plainSite.run('squeue', '--noheader', '--states=all', '--name=submitted-in-outage')).toMatch(
      /^[^\n]*\n?$/,
    );
  });

  it('gets its name, arguments and variables as they were written', { timeout }, async () => {
    const run = on(site, 'hostile');
    const text = ` a'b"c $(touch /tmp/x) \`id\` \\n;#%j|&é*`;
    const show =
      'console.log(JSON.stringify([process.env.SLURM_JOB_NAME, process.env.TEXT, process.argv[1]]))';
    await run.submit({
      steps: 0,
      spec: {
        name: text,
        comment: text,
        nodeList: node(10),
        cpusPerTask: 1,
        environment: { TEXT: `${text}\n${text}` },
        command: [process.execPath, '-e', show, `\n${text}`],
      },
    });
    expect(await run.ended()).toMatchObject({ state: 'COMPLETED', name: text });
    expect(JSON.parse(run.output())).toEqual([text, `${text}\n${text}`, `\n${text}`]);
    for (const format of ['json', 'text'] as const) {
      const [job] = await readSqueue(run.runner, { ids: [run.id], format });
      expect(job).toMatchObject({ id: run.id, name: text, comment: expect.stringContaining(text.trim()) });
    }
  });

  it('finds a common rendezvous over two nodes, one task for each GPU', { timeout }, async () => {
    const run = on(site, 'rendezvous');
    const show = 'echo $RANK $LOCAL_RANK $NODE_RANK $WORLD_SIZE $LOCAL_WORLD_SIZE $MASTER_ADDR:$MASTER_PORT';
    const spec = {
      nodes: 2,
      gpusPerNode: 2,
      cpusPerTask: 1,
      exclude: allBut(10, 12),
      command: ['bash', '-c', show],
    };
    await run.submit({ steps: 0, spec });
    expect(await run.ended()).toMatchObject({ state: 'COMPLETED' });
    const lines = run.output().trim().split('\n').sort();
    const address = lines[0]!.split(' ').at(-1)!;
    expect(address).toMatch(/^\S+:2\d{4}$/);
    expect(lines).toEqual(['0 0 0', '1 1 0', '2 0 1', '3 1 1'].map((ranks) => `${ranks} 4 2 ${address}`));
  });

  it('would be taken: both committed scripts pass sbatch --test-only', { timeout }, async () => {
    const { runner } = on(site, 'committed');
    for (const name of ['run_main_experiment', 'test_preempt']) {
      const script = readFileSync(new URL(`../../../slurm/${name}.slurm`, import.meta.url), 'utf8');
      await testSubmit(runner, script);
      const elsewhere = script.replace('--partition=preempt', '--partition=nowhere');
      await expect(testSubmit(runner, elsewhere)).rejects.toMatchObject({ kind: 'invalid-partition' });
      const larger = script.replace(/--gpus=\d/, '--gpus=99');
      await expect(testSubmit(runner, larger)).rejects.toMatchObject({ kind: 'impossible-request' });
    }
  });

  /** All nodes but these, for --exclude. */
  function allBut(...kept: readonly number[]): string {
    return site.nodes.filter((_, index) => !kept.includes(index + 1)).join(',');
  }
});
