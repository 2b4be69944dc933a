/** A small training as a job of a real Slurm: put back in the queue and preempted, then compared with its twin. */
import fs from 'node:fs';
import {
  type JobSpec,
  jobFromProfile,
  jobPhase,
  openSlurmQueue,
  readProfile,
} from '../../experiments/slurm/index.js';
import { readDiagnostics, readJsonLines, readStatus } from '../../telemetry/index.js';
import { compareRuns, type Check as FileCheck } from '../../training/index.js';
import { type Bench, outputOf, type SlurmWish } from '../bench.js';
import { verdict } from '../experiment.js';
import { allOf, figure } from './preemption.js';

export interface JobEvidence {
  readonly job: string;
  readonly state: string;
  readonly restarts: number;
  readonly attempts: number;
  /** What was done to it, in turn. */
  readonly disturbances: readonly string[];
  /** Why its attempts ended, as the job itself found out. */
  readonly causes: readonly string[];
  readonly run_state: string | undefined;
  readonly equal: readonly FileCheck[];
}

const LIMIT_MS = 240_000;

/** Steps long enough to be hit in between. */
const TRAINING = [
  ...['--model', 'bundled:tiny-llama', '--encoder-id', 'bundled:tiny-llama', '--dataset', 'facts'],
  ...['--samples', '400', '--epochs', '4', '--max-steps', '40', '--batch-size', '4', '--latent-len', '8'],
  ...['--d-z', '16', '--eval-samples', '8', '--max-new-tokens', '8', '--device', 'cpu', '--auto-resume'],
] as const;

export async function submitAndDisturb(bench: Bench, wish: SlurmWish): Promise<JobEvidence> {
  const { program, logger, stop } = bench.settings;
  const queue = openSlurmQueue(logger);
  const [run, twin] = [bench.in('run'), bench.in('twin')];
  const profile = readProfile(wish.profile);
  const job = jobFromProfile(profile, {
    name: 'latentwire-checklist',
    command: [...program, 'train', ...TRAINING, '--save-dir', run],
    output: bench.in('job-%j.out'),
  });
  const id = await queue.submit({
    ...job,
    requeue: true,
    environment: { ...job.environment, OMP_NUM_THREADS: '1' },
  });
  const disturbances: string[] = [];
  const look = async () => (await queue.look([id]))[0];
  const record = bench.paths('run');
  const attempts = () => readJsonLines(`${record.logs}/slurm.jsonl`);
  const started = (): number => attempts().filter(({ event }) => event === 'start').length;
  const steps = (): number =>
    fs.existsSync(record.diagnostics) ? readDiagnostics(record.diagnostics).length : 0;
  try {
    await until('five steps of the job', () => started() >= 1 && steps() >= 5, stop);
    disturbances.push(`scontrol requeue at step ${steps()}`);
    await queue.requeue([id]);
    if (wish.preemptWith !== undefined) {
      await until('ten steps of the job', () => started() >= 2 && steps() >= 10, stop);
      disturbances.push(`preempted by a job of partition ${wish.preemptWith} at step ${steps()}`);
      const urgent = await queue.submit(await preempting(bench, wish.preemptWith, (await look())?.nodes));
      await until(
        'the end of the preempting job',
        async () => ended((await queue.look([urgent]))[0]?.state),
        stop,
      );
    }
    await bench.command(['train', ...TRAINING, '--save-dir', twin], { OMP_NUM_THREADS: '1' });
    await until('the end of the job', async () => ended((await look())?.state), stop);
  } catch (error) {
    await queue.cancel([id]).catch(() => {});
    throw error;
  }
  const last = await look();
  return {
    ...{
      job: id,
      state: last?.state ?? 'unknown',
      restarts: last?.restarts ?? 0,
      attempts: started(),
      disturbances,
    },
    causes: attempts().flatMap(({ event, cause }) => (event === 'decision' ? [String(cause)] : [])),
    run_state: readStatus(record.status)?.state,
    equal: compareRuns(twin, run).checks,
  };
}

/** A job that needs the whole node. */
async function preempting(bench: Bench, partition: string, node: string | undefined): Promise<JobSpec> {
  if (node === undefined) throw new Error('the job runs on no node that Slurm names');
  const { stdout } = await outputOf('scontrol', ['show', 'node', node]);
  const cpus = figure(stdout, /CPUTot=(\d+)/);
  if (cpus === null) throw new Error(`scontrol does not tell how many CPUs ${node} has`);
  return {
    ...{ name: 'latentwire-checklist-urgent', command: ['true'], requeue: false, timeLimitSeconds: 60 },
    ...{ partition, nodeList: node, cpusPerTask: cpus, memory: '100M', output: bench.in('urgent-%j.out') },
  };
}

/** A job that has left the queue's memory has ended, too. */
function ended(state: Parameters<typeof jobPhase>[0] | undefined): boolean {
  return state === undefined || jobPhase(state) === 'ended';
}

async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  stop: AbortSignal | undefined,
): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  while (!(await holds())) {
    stop?.throwIfAborted();
    if (Date.now() > deadline) throw new Error(`waited ${LIMIT_MS / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export const judgeJob = {
  ends: (e: JobEvidence) =>
    verdict(
      e.run_state === 'completed' && e.attempts === e.disturbances.length + 1,
      `job ${e.job}: ${e.disturbances.join(', ')}; ${e.attempts} attempts, ended by ${e.causes.join(', ')}; ${e.state}, the run is ${e.run_state}`,
    ),
  equal: (e: JobEvidence) => allOf(e.equal),
};
