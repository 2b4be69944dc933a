/** The supervisor against a Slurm that answers from a list; the real one is in test/real-slurm. */
import { describe, expect, it } from 'vitest';
import { SlurmError } from '../errors.js';
import type { SlurmRunner } from '../runner/index.js';
import { type Decision, type JobSupervisor, superviseJob } from './index.js';

type Answer = string | SlurmError;
const away = new SlurmError('away', { kind: 'controller-unreachable' });
const END = 4_000_000_000;

/** `jobs`: the job as it is shown, one look after the other; the last one stays. */
function slurm(jobs: readonly Answer[], requeue: Answer = ''): SlurmRunner & { readonly asked: string[] } {
  const asked: string[] = [];
  let look = 0;
  return {
    asked,
    run: async (_, args) => {
      const question = args.slice(0, 2).join(' ');
      const answer =
        question === 'show job'
          ? jobs[Math.min(look++, jobs.length - 1)]!
          : question === 'show partition'
            ? 'PartitionName=p\n PreemptMode=REQUEUE GraceTime=60'
            : question === 'show config'
              ? 'PreemptType = preempt/partition_prio'
              : requeue;
      if (args[0] === 'requeue') asked.push(args.join(' '));
      if (answer instanceof SlurmError) throw answer;
      return answer;
    },
  };
}

const shown = (fields: string) => `JobId=7 JobName=n\n Requeue=1 Partition=p ${fields}\n\n`;
const running = shown(`JobState=RUNNING Reason=None Restarts=0 EndTime=${END}`);
const requeued = shown('JobState=COMPLETING Reason=None Restarts=1 EndTime=Unknown');

async function supervise(runner: SlurmRunner, env: NodeJS.ProcessEnv = {}): Promise<JobSupervisor> {
  const supervisor = await superviseJob({
    runner,
    env: { SLURM_JOB_ID: '7', ...env },
    pollMs: 1,
    limits: { settleMs: 0, maxWaitMs: 200 },
  });
  return supervisor!;
}

async function settle(supervisor: JobSupervisor) {
  const decisions: Decision[] = [];
  const report = { stop: { kind: 'signal', signal: 'SIGTERM' }, progressed: true, attempts: [] } as const;
  const ending = await supervisor.settle({ ...report, onDecision: (decision) => decisions.push(decision) });
  return { ending, decisions };
}

describe('superviseJob', () => {
  it('is not there outside Slurm', async () => {
    expect(await superviseJob({ env: {} })).toBeUndefined();
  });

  it('leaves interactive jobs to the person in front of them', async () => {
    const runner = slurm([shown('JobState=RUNNING BatchFlag=0')]);
    expect(await superviseJob({ runner, env: { SLURM_JOB_ID: '7' } })).toBeUndefined();
  });

  it('knows the end time and when to stop for it', async () => {
    const supervisor = await supervise(slurm([running]));
    expect(supervisor.timeLimitAt).toBe(END * 1000);
    expect(supervisor.stopWanted(60_000)).toBeUndefined();
    expect(supervisor.stopWanted(END * 1000)).toEqual({ kind: 'time-limit' });
    supervisor.close();
  });

  it('does not take the end of a grace time for the time limit', async () => {
    const grace = shown(`JobState=RUNNING Restarts=0 EndTime=${END} PreemptTime=1800000000`);
    const supervisor = await supervise(slurm([grace]));
    expect(supervisor.timeLimitAt).toBeUndefined();
    supervisor.close();
  });

  it('starts without an answer from Slurm', async () => {
    const supervisor = await supervise(slurm([away]), { SLURM_JOB_END_TIME: '4000000000' });
    expect(supervisor.timeLimitAt).toBe(END * 1000);
    supervisor.close();
  });
});

describe('settle', () => {
  it('requeues once and leaves when the job is in the queue again', async () => {
    const runner = slurm([running, running, requeued]);
    const { ending, decisions } = await settle(await supervise(runner));
    expect(runner.asked).toEqual(['requeue 7']);
    expect(ending).toMatchObject({ exitCode: 0, decision: { cause: 'requeued' } });
    expect(decisions.map(({ action }) => action)).toEqual(['requeue-self', 'wait-for-requeue']);
  });

  it('names the array task', async () => {
    const runner = slurm([running, running, requeued]);
    await settle(await supervise(runner, { SLURM_ARRAY_JOB_ID: '7', SLURM_ARRAY_TASK_ID: '3' }));
    expect(runner.asked).toEqual(['requeue 7_3']);
  });

  it('waits through an outage of the controller', async () => {
    const runner = slurm([running, away, away, running, requeued]);
    const { decisions } = await settle(await supervise(runner));
    expect(decisions.map(({ action, cause }) => `${action} ${cause}`)).toEqual([
      'wait-for-requeue unknown',
      'requeue-self signal',
      'wait-for-requeue requeued',
    ]);
  });

  it('lets one task speak for all', async () => {
    const runner = slurm([running, running, running, requeued]);
    await settle(await supervise(runner, { SLURM_PROCID: '1' }));
    expect(runner.asked).toEqual([]);
  });

  it('asks the batch shell where there is no scontrol', async () => {
    const missing = new SlurmError('none', { kind: 'not-installed' });
    const { ending } = await settle(await supervise(slurm([missing], missing)));
    expect(ending.exitCode).toBe(85);
  });

  it('does not wait for ever for a controller that never comes back', async () => {
    const { ending } = await settle(await supervise(slurm([away], away)));
    expect(ending.exitCode).toBe(85);
  });

  it('ends a cancelled job at once', async () => {
    const cancelled = shown('JobState=CANCELLED Restarts=0');
    const { ending } = await settle(await supervise(slurm([running, cancelled])));
    expect(ending).toMatchObject({ exitCode: 1, decision: { cause: 'cancelled' } });
  });
});
