import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JobRecord, JobState, PreemptMode } from '../queue/index.js';
import {
  type Action,
  type AttemptSummary,
  DEFAULT_LIMITS,
  type DecisionInput,
  decide,
  jobContext,
  type Stop,
} from './index.js';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const SIGNAL: Stop = { kind: 'signal', signal: 'SIGTERM' };
const CRASH: Stop = { kind: 'crash', signature: 'CUDA error', retryable: true };

const job = (fields: Partial<JobRecord> = {}): JobRecord => ({
  id: '7',
  name: 'n',
  state: 'RUNNING',
  restarts: 0,
  requeue: true,
  ...fields,
});
const input = (fields: Partial<DecisionInput> = {}, slurm: Partial<JobRecord> = {}): DecisionInput => ({
  stop: SIGNAL,
  view: { known: true, job: job(slurm) },
  restarts: 0,
  timeLimitAt: NOW + 5 * 60 * MINUTE,
  preemptMode: 'requeue',
  attempts: [],
  progressed: true,
  now: NOW,
  waitedMs: 0,
  ...fields,
});
const preempted = { preemptTime: new Date(NOW - 1000), endTime: new Date(NOW + MINUTE) };
const idle = (end: AttemptSummary['end'], count: number): AttemptSummary[] =>
  Array.from({ length: count }, () => ({ progressed: false, end }));
const blind = { view: { known: false, because: 'unreachable' } } as const;
const action = (...args: Parameters<typeof input>): Action => decide(input(...args)).action;

describe('a signal', () => {
  it('of a preemption: stay, for Slurm requeues only what is still there when grace ends', () => {
    expect(decide(input({}, preempted))).toMatchObject({ action: 'wait-for-requeue', cause: 'preemption' });
  });

  it('of a preemption that would cancel or may not requeue: requeue now', () => {
    for (const preemptMode of ['cancel', 'suspend', 'off', 'unknown'] satisfies PreemptMode[]) {
      expect(action({ preemptMode }, preempted)).toBe('requeue-self');
    }
  });

  it('of a preemption that never comes: requeue after a deadline', () => {
    expect(action({ waitedMs: DEFAULT_LIMITS.maxWaitMs + 1 }, preempted)).toBe('requeue-self');
  });

  it('near the time limit: requeue, nobody else will', () => {
    expect(decide(input({ timeLimitAt: NOW + 3 * MINUTE }))).toMatchObject({
      action: 'requeue-self',
      cause: 'time-limit',
    });
  });

  it('near the grace end of a preemption is not taken for the time limit', () => {
    expect(decide(input({ timeLimitAt: NOW + MINUTE }, preempted)).cause).toBe('preemption');
  });

  it('at the time limit itself: requeue while Slurm is ending the job', () => {
    expect(action({}, { state: 'COMPLETING', reason: 'TimeLimit' })).toBe('requeue-self');
    expect(action({}, { state: 'TIMEOUT' })).toBe('requeue-self');
  });

  it('of scancel: end', () => {
    expect(decide(input({}, { state: 'CANCELLED' }))).toMatchObject({
      action: 'exit-failed',
      cause: 'cancelled',
    });
    expect(action({}, { state: 'COMPLETING' })).toBe('exit-failed');
    expect(action({}, { state: 'COMPLETING', ...preempted })).toBe('exit-failed');
  });

  it('of scontrol requeue or a lost node: leave, it is in the queue again', () => {
    for (const state of ['COMPLETING', 'PENDING', 'RUNNING', 'CANCELLED'] satisfies JobState[]) {
      expect(decide(input({}, { state, restarts: 1 }))).toMatchObject({
        action: 'wait-for-requeue',
        cause: 'requeued',
      });
    }
    expect(decide(input({}, { state: 'NODE_FAIL' })).cause).toBe('requeued');
  });

  it('without a reason: look again for a moment, then requeue, for the work is saved', () => {
    expect(action()).toBe('wait-for-requeue');
    expect(action({ waitedMs: DEFAULT_LIMITS.settleMs })).toBe('requeue-self');
  });

  it('while Slurm does not answer: wait, which is right for preemption and for scancel', () => {
    expect(action(blind)).toBe('wait-for-requeue');
    expect(action({ ...blind, waitedMs: DEFAULT_LIMITS.maxWaitMs + 1 })).toBe('requeue-self');
    expect(action({ ...blind, timeLimitAt: NOW + MINUTE })).toBe('requeue-self');
    // Waiting long must not turn into "the time limit is near".
    expect(action({ ...blind, timeLimitAt: NOW + MINUTE, waitedMs: 12 * MINUTE })).toBe('wait-for-requeue');
    expect(action({ view: { known: false, because: 'no-such-job' } })).toBe('exit-failed');
  });
});

describe('a run that should not come back', () => {
  it('is finished', () => {
    expect(action({ stop: { kind: 'finished' } }, preempted)).toBe('exit-finished');
  });

  it('was submitted with --no-requeue', () => {
    expect(action({ timeLimitAt: NOW }, { requeue: false })).toBe('exit-failed');
    expect(action({}, { ...preempted, requeue: false })).toBe('exit-failed');
  });

  it('makes no progress', () => {
    const stuck = { progressed: false, timeLimitAt: NOW };
    expect(action({ ...stuck, attempts: idle('time-limit', 1) })).toBe('exit-failed');
    expect(action({ ...stuck, attempts: [] })).toBe('requeue-self');
    expect(
      action({ ...stuck, attempts: [...idle('time-limit', 4), { progressed: true, end: 'time-limit' }] }),
    ).toBe('requeue-self');
    expect(action({ progressed: false, attempts: idle('preemption', 3) }, preempted)).toBe(
      'wait-for-requeue',
    );
    expect(action({ progressed: false, attempts: idle('preemption', 4) }, preempted)).toBe('exit-failed');
  });

  it('crashes the same way twice, or again without progress, or too often, or for good', () => {
    const crashed = (crashSignature: string, progressed = true): AttemptSummary => ({
      progressed,
      end: 'crash',
      crashSignature,
    });
    expect(action({ stop: CRASH })).toBe('requeue-self');
    expect(action({ stop: CRASH, attempts: [crashed('CUDA error')] })).toBe('exit-failed');
    expect(action({ stop: CRASH, attempts: [crashed('other')] })).toBe('requeue-self');
    expect(action({ stop: CRASH, attempts: [crashed('other')], progressed: false })).toBe('exit-failed');
    expect(action({ stop: CRASH, attempts: [crashed('a'), crashed('b')] })).toBe('exit-failed');
    expect(action({ stop: { ...CRASH, retryable: false } })).toBe('exit-failed');
  });
});

describe('whatever is known', () => {
  const states = fc.constantFrom<JobState>(
    'PENDING',
    'RUNNING',
    'COMPLETING',
    'CANCELLED',
    'TIMEOUT',
    'NODE_FAIL',
    'PREEMPTED',
    'COMPLETED',
    'FAILED',
    'SUSPENDED',
    'UNKNOWN',
    'DEADLINE',
  );
  const attempt = fc.record({
    progressed: fc.boolean(),
    end: fc.constantFrom<AttemptSummary['end']>('preemption', 'time-limit', 'crash', 'unknown'),
  });
  const anything = fc
    .record({
      stop: fc.constantFrom<Stop>(SIGNAL, CRASH, { kind: 'time-limit' }, { kind: 'finished' }),
      known: fc.boolean(),
      state: states,
      reason: fc.constantFrom('TimeLimit', 'Priority', undefined),
      preempted: fc.boolean(),
      requeue: fc.boolean(),
      jobRestarts: fc.nat(2),
      restarts: fc.nat(2),
      preemptMode: fc.constantFrom<PreemptMode>('requeue', 'cancel', 'suspend', 'off', 'unknown'),
      attempts: fc.array(attempt, { maxLength: 8 }),
      progressed: fc.boolean(),
      left: fc.integer({ min: -60, max: 600 }),
      waited: fc.integer({ min: 0, max: 40 }),
    })
    .map(({ known, state, reason, preempted: isPreempted, requeue, jobRestarts, left, waited, ...rest }) =>
      input({
        ...rest,
        timeLimitAt: NOW + left * MINUTE,
        waitedMs: waited * MINUTE,
        view: known
          ? {
              known,
              job: job({
                state,
                requeue,
                restarts: jobRestarts,
                ...(reason !== undefined && { reason }),
                ...(isPreempted && preempted),
              }),
            }
          : { known, because: 'unreachable' },
      }),
    );

  it('a finished or cancelled job, or one without requeue, is never requeued by itself', () => {
    fc.assert(
      fc.property(anything, (given) => {
        if (decide(given).action !== 'requeue-self') return;
        expect(given.stop.kind).not.toBe('finished');
        if (!given.view.known) return;
        expect(given.view.job.requeue).not.toBe(false);
        expect(['RUNNING', 'COMPLETING', 'TIMEOUT']).toContain(given.view.job.state);
        expect(given.view.job.restarts ?? 0).toBeLessThanOrEqual(given.restarts);
      }),
      { numRuns: 2000 },
    );
  });

  it('a job that moves forward is not given up over a signal while Slurm counts it as running', () => {
    fc.assert(
      fc.property(anything, (given) => {
        const { view, stop } = given;
        if (
          !view.known ||
          view.job.state !== 'RUNNING' ||
          view.job.requeue === false ||
          stop.kind !== 'signal'
        )
          return;
        expect(decide({ ...given, progressed: true }).action).not.toBe('exit-failed');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('jobContext', () => {
  it('names array tasks by array and index', () => {
    const env = {
      SLURM_JOB_ID: '9',
      SLURM_ARRAY_JOB_ID: '8',
      SLURM_ARRAY_TASK_ID: '0',
      SLURM_RESTART_COUNT: '2',
      SLURM_PROCID: '3',
      SLURM_STEP_NUM_TASKS: '4',
      SLURM_STEP_ID: '0',
      SLURMD_NODENAME: 'n1',
    };
    expect(jobContext(env)).toEqual({
      id: '8_0',
      array: { jobId: '8', taskId: 0 },
      restarts: 2,
      rank: 3,
      tasks: 4,
      inStep: true,
      node: 'n1',
    });
  });

  it('knows a batch shell, and that there is no job', () => {
    expect(jobContext({ SLURM_JOB_ID: '9' })).toMatchObject({ id: '9', restarts: 0, inStep: false });
    expect(jobContext({})).toBeUndefined();
  });
});
