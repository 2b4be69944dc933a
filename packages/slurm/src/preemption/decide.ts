/**
 * What a job does once its work has stopped and its state is saved: a pure function of what is known.
 *
 * Slurm's rules behind it (docs/SLURM.md, measured): a batch job that exits within the grace time of a preemption has
 * ended, whatever its exit code, and is not requeued; one that stays until the end of grace is. After a time limit
 * nothing is requeued unless the job asks for it, which works even while Slurm is already ending it. And `scontrol
 * requeue` revives cancelled and finished jobs as well, so it is asked only of jobs that Slurm still counts as running
 * or as ended by the limit.
 *
 * When it cannot be known why the signal came, waiting is right: preemption requeues the job, scancel ends it. Only if
 * neither happens in `maxWaitMs` the job requeues itself; its work is saved, so at worst it starts once more.
 */
import type { JobRecord, PreemptMode } from '../queue/index.js';

/** How the work stopped. */
export type Stop =
  /** all of it is done */
  | { readonly kind: 'finished' }
  /** on a signal, after a save (or with an older checkpoint, if that failed) */
  | { readonly kind: 'signal'; readonly signal: string }
  /** by itself, because the time limit is near */
  | { readonly kind: 'time-limit' }
  /** on an error; two with the same signature are the same crash */
  | { readonly kind: 'crash'; readonly signature: string; readonly retryable: boolean };

/** What is known of an earlier run of the same job, oldest first in a list of them. */
export interface AttemptSummary {
  /** Whether it moved the run forward: its last saved step is beyond that of the attempt before it. */
  readonly progressed: boolean;
  readonly end: 'preemption' | 'time-limit' | 'crash' | 'unknown';
  readonly crashSignature?: string;
}

/** What Slurm says of the job now, or why it says nothing. */
export type JobView =
  | { readonly known: true; readonly job: JobRecord }
  | { readonly known: false; readonly because: 'unreachable' | 'no-such-job' | 'no-scontrol' };

export interface DecisionInput {
  readonly stop: Stop;
  readonly view: JobView;
  /** Restarts of the job before this run of it (`JobContext.restarts`). */
  readonly restarts: number;
  /** The job's end time as it stood while nothing was wrong, ms since 1970; absent: unlimited or never learnt. */
  readonly timeLimitAt?: number;
  /** What the partition does with jobs that must give way. */
  readonly preemptMode: PreemptMode;
  readonly attempts: readonly AttemptSummary[];
  /** Whether this attempt moved the run forward, saved. */
  readonly progressed: boolean;
  readonly now: number;
  /** Since the work stopped. */
  readonly waitedMs: number;
}

export interface PolicyLimits {
  /** A signal this close before the time limit is its warning. Default 10 min: --signal's seconds and Slurm's 60 s. */
  readonly timeLimitNearMs: number;
  /** How long to wait for Slurm to do something before the job requeues itself. Default 15 min. */
  readonly maxWaitMs: number;
  /** A bare signal with nothing else wrong: look again for this long before acting on it. Default 10 s. */
  readonly settleMs: number;
  /** Runs in a row without progress, this one included, after which the run is hopeless. */
  readonly maxIdlePreemptions: number;
  readonly maxIdleTimeLimits: number;
  /** Crashes over the whole history, whatever their cause. */
  readonly maxCrashes: number;
}

export const DEFAULT_LIMITS: PolicyLimits = {
  timeLimitNearMs: 10 * 60_000,
  maxWaitMs: 15 * 60_000,
  settleMs: 10_000,
  maxIdlePreemptions: 5,
  maxIdleTimeLimits: 2,
  maxCrashes: 3,
};

export type Action = 'wait-for-requeue' | 'requeue-self' | 'exit-finished' | 'exit-failed';

export type Cause =
  | 'finished'
  | 'preemption'
  | 'time-limit'
  | 'cancelled'
  /** scontrol requeue by someone, or a lost node: Slurm has requeued the job already */
  | 'requeued'
  | 'crash'
  | 'signal'
  | 'unknown';

export interface Decision {
  readonly action: Action;
  readonly cause: Cause;
  /** One sentence for the log and for status.json. */
  readonly why: string;
}

/** The decision. Call it again whenever more is known; it gets surer, never wilder. */
export function decide(input: DecisionInput, limits: PolicyLimits = DEFAULT_LIMITS): Decision {
  const { stop } = input;
  if (stop.kind === 'finished')
    return { action: 'exit-finished', cause: 'finished', why: 'all work is done' };
  if (!input.view.known) return decideBlind(input, limits);
  const { job } = input.view;
  if ((job.restarts ?? 0) > input.restarts)
    return wait('requeued', 'Slurm has put the job back in the queue');
  switch (job.state) {
    case 'CANCELLED':
    case 'DEADLINE':
      return give('cancelled', 'the job was cancelled');
    case 'TIMEOUT':
      return again(input, 'time-limit', 'the time limit is reached', limits);
    case 'COMPLETING':
      return job.reason === 'TimeLimit'
        ? again(input, 'time-limit', 'the time limit is reached', limits)
        : give('cancelled', 'Slurm is ending the job and has not put it back in the queue');
    case 'RUNNING':
    case 'SIGNALING':
    case 'RESIZING':
    case 'STAGE_OUT':
      return stop.kind === 'crash' ? afterCrash(input, stop, limits) : whileRunning(input, job, limits);
    case 'SUSPENDED':
    case 'STOPPED':
      return wait('preemption', 'the job is suspended');
    case 'COMPLETED':
    case 'FAILED':
    case 'OUT_OF_MEMORY':
      return give('unknown', `Slurm counts the job as ${job.state}`);
    default:
      // PENDING, REQUEUED, NODE_FAIL, PREEMPTED, …: Slurm starts it again if it may.
      return wait('requeued', `Slurm counts the job as ${job.state}`);
  }
}

function whileRunning(input: DecisionInput, job: JobRecord, limits: PolicyLimits): Decision {
  const { stop, preemptMode, waitedMs } = input;
  if (job.preemptTime !== undefined) {
    if (preemptMode !== 'requeue') {
      return again(input, 'preemption', `preempted, and mode ${preemptMode} may not requeue`, limits);
    }
    const check = again(input, 'preemption', 'preempted, but Slurm did not end the job', limits);
    return check.action === 'exit-failed' || waitedMs > limits.maxWaitMs
      ? check
      : wait('preemption', 'preempted: Slurm requeues the job when its grace time is over');
  }
  if (stop.kind === 'time-limit' || isNear(input, limits)) {
    return again(input, 'time-limit', 'the time limit is near', limits);
  }
  return waitedMs < limits.settleMs
    ? wait('signal', 'a signal, and no reason for it yet')
    : again(input, 'signal', 'a signal without a reason that Slurm knows of', limits);
}

/** Without Slurm's word: what is known from before decides, and otherwise patience. */
function decideBlind(input: DecisionInput, limits: PolicyLimits): Decision {
  const { stop, view, waitedMs } = input;
  if (!view.known && view.because === 'no-such-job') return give('unknown', 'Slurm does not know the job');
  if (stop.kind === 'crash') return afterCrash(input, stop, limits);
  if (stop.kind === 'time-limit' || isNear(input, limits)) {
    return again(input, 'time-limit', 'the time limit is near', limits);
  }
  return waitedMs > limits.maxWaitMs
    ? again(input, 'unknown', 'a signal, Slurm did not answer, and nothing happened', limits)
    : wait('unknown', 'a signal, and Slurm does not answer: preemption and cancelling both end the job');
}

function afterCrash(input: DecisionInput, stop: Stop & { kind: 'crash' }, limits: PolicyLimits): Decision {
  const crashes = input.attempts.filter(({ end }) => end === 'crash');
  const last = input.attempts.at(-1);
  if (!stop.retryable) return give('crash', 'this error would come again');
  if (last?.end === 'crash' && last.crashSignature === stop.signature) {
    return give('crash', 'the same crash twice in a row');
  }
  if (crashes.length > 0 && !input.progressed)
    return give('crash', 'it crashed before, and made no progress since');
  if (crashes.length + 1 >= limits.maxCrashes) return give('crash', `${crashes.length + 1} crashes`);
  return again(input, 'crash', 'a crash that may not come again', limits);
}

/** Requeue, unless it is not allowed or hopeless. */
function again(input: DecisionInput, cause: Cause, why: string, limits: PolicyLimits): Decision {
  if (input.view.known && input.view.job.requeue === false) {
    return give(cause, `${why}; the job was submitted with --no-requeue`);
  }
  const limit = cause === 'time-limit' ? limits.maxIdleTimeLimits : limits.maxIdlePreemptions;
  const idle = idleRuns(input);
  if (idle >= limit) return give(cause, `${why}; no progress in ${idle} runs in a row`);
  return { action: 'requeue-self', cause, why };
}

/** Runs in a row without progress, up to and including this one. */
function idleRuns({ progressed, attempts }: DecisionInput): number {
  if (progressed) return 0;
  const before = [...attempts].reverse().findIndex((attempt) => attempt.progressed);
  return 1 + (before < 0 ? attempts.length : before);
}

function isNear({ timeLimitAt, now, waitedMs }: DecisionInput, { timeLimitNearMs }: PolicyLimits): boolean {
  // Counted from when the work stopped: a long wait must not turn another cause into this one.
  return timeLimitAt !== undefined && timeLimitAt - (now - waitedMs) <= timeLimitNearMs;
}

const wait = (cause: Cause, why: string): Decision => ({ action: 'wait-for-requeue', cause, why });
const give = (cause: Cause, why: string): Decision => ({ action: 'exit-failed', cause, why });
