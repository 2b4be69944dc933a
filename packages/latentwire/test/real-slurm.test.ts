/**
 * A real training under a real Slurm: preempted, put back in the queue and preempted again, it ends once, with the bytes
 * of a training that nothing disturbed. What else Slurm does to jobs is tested in packages/slurm with a stand-in.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createRunner, type JobSpec, jobPhase, readJob, requeueJob, submitJob } from '@latentwire/slurm';
import * as t from '@latentwire/torch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provideSlurm } from '../../slurm/test/real-slurm/install.js';
import { type PrivateCluster, startCluster } from '../../slurm/test/real-slurm/private-cluster.js';
import { until } from '../../slurm/test/real-slurm/scenario.js';
import { readDiagnostics, readJsonLines, readStatus } from '../src/telemetry/index.js';
import { temporaryFolder } from './support/temporary-folder.js';

const slurm = provideSlurm();
if (!slurm.available) console.warn(`training under a real Slurm skipped: ${slurm.why}`);

const program = fileURLToPath(new URL('../bin/latentwire.js', import.meta.url));
const within = temporaryFolder();
const STEPS = 40;

const training = (directory: string): string[] => [
  ...[process.execPath, program, 'train', '--model=bundled:tiny-llama', '--encoder-id=bundled:tiny-llama'],
  ...['--dataset=facts', '--samples=400', '--epochs=4', `--max-steps=${STEPS}`, '--batch-size=4'],
  ...['--latent-len=8', '--d-z=16', '--eval-samples=8', '--max-new-tokens=8', '--device=cpu'],
  ...['--auto-resume', '--save-dir', directory],
];

describe.skipIf(!slurm.available)('a training under a real Slurm', () => {
  let cluster: PrivateCluster;
  beforeAll(async () => {
    cluster = await startCluster({ sendUserSignal: false, graceSeconds: 5, killWait: 2 });
  }, 120_000);
  afterAll(() => cluster?.stop(), 60_000);

  it('ends with the bytes of an undisturbed one, whatever happens to its job', {
    timeout: 380_000,
  }, async () => {
    const runner = createRunner({ env: cluster.env });
    const directory = within('disturbed');
    const node = cluster.nodes[0]!;
    const common: Omit<JobSpec, 'name' | 'command'> = {
      ...{ requeue: true, nodeList: node, cpusPerTask: 32, memory: '4GB', output: within('%x-%j.out') },
      environment: { OMP_NUM_THREADS: '1' },
    };
    const preempting: JobSpec = { ...common, name: 'urgent', partition: 'normal', command: ['true'] };
    const id = await submitJob(runner, {
      ...common,
      ...{ name: 'training', partition: 'preempt', command: training(directory) },
    });
    const steps = () => {
      const file = path.join(directory, 'logs/diagnostics.jsonl');
      return existsSync(file) ? readDiagnostics(file).length : 0;
    };
    const attempts = () => readJsonLines(path.join(directory, 'logs/slurm.jsonl'));
    const inAttempt = (count: number, step: number) => () =>
      attempts().filter(({ event }) => event === 'start').length === count && steps() >= step;

    await until('five steps', inAttempt(1, 5), 200_000);
    await submitJob(runner, preempting);
    await until('five more', inAttempt(2, 10), 200_000);
    await requeueJob(runner, id);
    await until('five more', inAttempt(3, 15), 200_000);
    await submitJob(runner, preempting);
    const twin = within('undisturbed');
    const [command, ...args] = training(twin);
    await promisify(execFile)(command!, args, { env: { ...process.env, OMP_NUM_THREADS: '1' } });
    await until('its end', async () => jobPhase((await readJob(runner, id)).state) === 'ended', 180_000);

    expect(await readJob(runner, id)).toMatchObject({ state: 'COMPLETED', restarts: 3 });
    expect(readStatus(path.join(directory, 'status.json'))).toMatchObject({
      ...{ state: 'completed', attempt: 4, slurm: { job: id, restarts: 3 } },
    });
    const decisions = attempts().filter(({ event }) => event === 'decision');
    expect(decisions.map(({ cause }) => cause)).toEqual(
      expect.arrayContaining(['preemption', 'requeued', 'finished']),
    );
    const rows = readDiagnostics(path.join(directory, 'logs/diagnostics.jsonl'));
    expect(rows.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, index) => index + 1));
    const losses = (run: string) =>
      readDiagnostics(path.join(run, 'logs/diagnostics.jsonl')).map(({ loss }) => loss);
    expect(losses(directory)).toEqual(losses(twin));
    expect(weights(directory)).toEqual(weights(twin));
    const predictions = (run: string) => readFileSync(path.join(run, 'predictions.jsonl'), 'utf8');
    expect(predictions(directory)).toBe(predictions(twin));
  });

  it('is a cell of a plan as well, in two processes: submitted by one command, preempted, the same bytes', {
    timeout: 300_000,
  }, async () => {
    const at = (name: string, text: string): string => {
      writeFileSync(within(name), text);
      return within(name);
    };
    const plan = at(
      'small plan.yaml',
      `version: 1
name: small
seeds: [1]
settings:
  model: {ids: ['bundled:tiny-llama']}
  encoder: {id: 'bundled:tiny-llama'}
  data: {dataset: facts, samples: 400}
  training: {epochs: 4, max_steps: 20, batch_size: 4}
  wire: {latent_len: 8, d_z: 16}
  evaluation: {eval_samples: 8, max_new_tokens: 8}
  system: {device: cpu}
resources: {gpus: 2, cpus: 2}
phases: [{name: core}]
`,
    );
    const profile = at(
      'here.yaml',
      `name: here\npartition: preempt\nmemory: 1GB\ntime: '00:30:00'\nexclude: ${cluster.nodes[0]}\n`,
    );
    const latentwire = async (...args: string[]): Promise<Record<string, unknown>> => {
      const options = { env: { ...cluster.env, OMP_NUM_THREADS: '1' }, cwd: within('.') };
      const { stdout } = await promisify(execFile)(process.execPath, [program, ...args, '--json'], options);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const [directory, twin] = [within('plan runs'), within('plan twin')];
    const inSlurm = ['run', plan, '--experiment-dir', directory, '--slurm', profile, '--at-once', '2'];
    expect(await latentwire(...inSlurm, '--test-only')).toMatchObject({ status: 'tested', queued: 0 });
    expect(await latentwire(...inSlurm)).toMatchObject({ status: 'submitted', queued: 1, left: [] });
    const names = () => readdirSync(directory).filter((name) => !name.startsWith('.'));
    const rows = (name: string) => {
      const file = path.join(directory, name, 'logs/diagnostics.jsonl');
      return existsSync(file) ? readDiagnostics(file).length : 0;
    };
    await until('five steps', () => names().length === 1 && names().every((n) => rows(n) >= 5), 120_000);
    const status = await latentwire('status', plan, '--experiment-dir', directory);
    const { cells } = status.queue as { cells: Record<string, object> };
    expect(Object.values(cells)).toMatchObject([{ state: 'RUNNING' }]);
    expect(await latentwire(...inSlurm)).toMatchObject({ arrays: [], queued: 1 });
    await submitJob(createRunner({ env: cluster.env }), {
      ...{ requeue: false, nodeList: cluster.nodes[1]!, cpusPerTask: 32, memory: '1GB', output: '/dev/null' },
      ...{ name: 'urgent', partition: 'normal', command: ['true'] },
    });
    const [name] = names();
    const settings = path.join(directory, '.experiment/cells', name!, 'config.json');
    const team = ['launch', '--processes', '2', 'train', '--config', settings];
    await latentwire(...team, '--save-dir', path.join(twin, name!));
    const state = () => readStatus(path.join(directory, name!, 'status.json'))?.state;
    await until('its end', () => state() === 'completed', 180_000);
    expect(await latentwire(...inSlurm)).toMatchObject({ status: 'completed', arrays: [] });

    const [ours, theirs] = [path.join(directory, name!), path.join(twin, name!)];
    expect(readStatus(path.join(ours, 'status.json'))!.attempt).toBe(2);
    expect(weights(ours)).toEqual(weights(theirs));
    const predictions = (run: string) => readFileSync(path.join(run, 'predictions.jsonl'), 'utf8');
    expect(predictions(ours)).toBe(predictions(theirs));
  });
});

/** Digests, for comparing ten million bytes one by one takes vitest twenty seconds. */
function weights(run: string): Map<string, string> {
  using file = t.openSafetensors(path.join(run, 'preempt_checkpoint/checkpoint_current.safetensors'));
  const digest = (name: string): string =>
    createHash('sha256').update(file.load(name).toBytes()).digest('hex');
  return t.scope(() => new Map(file.names.map((name) => [name, digest(name)])));
}
