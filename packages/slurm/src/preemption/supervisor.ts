/**
 * The running side of the policy: what a program under Slurm calls at its start, while it works, and when it has
 * stopped and saved. It asks Slurm, decides, acts, and asks again until the process has to end or Slurm ends it.
 *
 *   const supervisor = await superviseJob();                     // undefined outside Slurm
 *   …at each step: if (supervisor?.stopWanted(60_000)) break;    // the time limit, with or without --signal
 *   …after the save:
 *   const { exitCode } = await supervisor.settle({ stop, progressed, attempts });
 */
import { requeueJob } from '../commands/index.js';
import { SlurmError } from '../errors.js';
import { type PreemptMode, readJob, readPartition } from '../queue/index.js';
import { createRunner, type SlurmRunner } from '../runner/index.js';
import { REQUEUE_EXIT_CODE } from '../script/index.js';
import {
  type AttemptSummary,
  DEFAULT_LIMITS,
  type Decision,
  decide,
  type JobView,
  type PolicyLimits,
  type Stop,
} from './decide.js';
import { type JobContext, jobContext } from './job-context.js';

export interface StopReport {
  readonly stop: Stop;
  /** Whether this attempt saved anything beyond what it started from. */
  readonly progressed: boolean;
  /** Earlier attempts of this run, oldest first; from the run's own record, for Slurm keeps none. */
  readonly attempts: readonly AttemptSummary[];
  /** Told of the first decision and of each change, before it is acted upon: the place to write status.json. */
  readonly onDecision?: (decision: Decision) => void;
}

export interface Ending {
  /** For process.exitCode: 0; 1 failed; 85 asks the batch shell to requeue (no scontrol here). */
  readonly exitCode: 0 | 1 | typeof REQUEUE_EXIT_CODE;
  readonly decision: Decision;
}

export interface JobSupervisor {
  readonly job: JobContext;
  /** The job's end time, ms since 1970, as last read while nothing was wrong; absent: unlimited or not known. */
  readonly timeLimitAt: number | undefined;
  /** Whether the work should stop by itself now: the limit is less than `leadMs` away. Costs nothing. */
  stopWanted(leadMs: number): Stop | undefined;
  /**
   * To be called when the work has stopped and is saved. Returns when the process should exit; while Slurm is to
   * requeue the job it does not return. Signals that arrive meanwhile change nothing.
   */
  settle(report: StopReport): Promise<Ending>;
  /** Stops looking at the clock of the job. */
  close(): void;
}

export interface SupervisorOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly runner?: SlurmRunner;
  readonly limits?: Partial<PolicyLimits>;
  /** Between two looks at the job while waiting; default 2 s. */
  readonly pollMs?: number;
  /** Between two looks at the time limit while working; default 5 min. */
  readonly refreshMs?: number;
}

/** Long enough for a busy controller, short enough for the shortest grace time. */
const ASK_TIMEOUT_MS = 8_000;
const SETTLED_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

/**
 * Supervises the job around this process; undefined outside Slurm and in interactive jobs. Never fails: what it cannot
 * learn stays unknown.
 */
export async function superviseJob(options: SupervisorOptions = {}): Promise<JobSupervisor | undefined> {
  const env = options.env ?? process.env;
  const job = jobContext(env);
  if (job === undefined) return undefined;
  const runner = options.runner ?? createRunner({ env, timeoutMs: ASK_TIMEOUT_MS, pausesMs: [] });
  const supervisor = new Supervisor(job, runner, options, endTimeFrom(env));
  await supervisor.refresh();
  if (!supervisor.interactive) return supervisor;
  supervisor.close();
  return undefined;
}

class Supervisor implements JobSupervisor {
  timeLimitAt: number | undefined;
  interactive = false;
  private preemptMode: PreemptMode | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    readonly job: JobContext,
    private readonly runner: SlurmRunner,
    private readonly options: SupervisorOptions,
    endTime: number | undefined,
  ) {
    this.timeLimitAt = endTime;
  }

  stopWanted(leadMs: number): Stop | undefined {
    const near = this.timeLimitAt !== undefined && Date.now() >= this.timeLimitAt - leadMs;
    return near ? { kind: 'time-limit' } : undefined;
  }

  /** Looks at the job's end time, which people may move while it runs. */
  async refresh(): Promise<void> {
    this.close();
    const view = await this.look();
    // During the grace time of a preemption the end time is that of the grace, not the limit.
    if (view.known && view.job.state === 'RUNNING' && view.job.preemptTime === undefined) {
      this.timeLimitAt = view.job.endTime?.getTime();
    }
    this.timer = setTimeout(() => void this.refresh(), this.options.refreshMs ?? 5 * 60_000);
    this.timer.unref();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  async settle({ stop, progressed, attempts, onDecision }: StopReport): Promise<Ending> {
    this.close();
    const started = Date.now();
    const ignore = () => {};
    for (const signal of SETTLED_SIGNALS) process.on(signal, ignore);
    const limits = { ...DEFAULT_LIMITS, ...this.options.limits };
    let told: string | undefined;
    try {
      for (;;) {
        const view = await this.look();
        const now = Date.now();
        const decision = decide(
          {
            stop,
            view,
            restarts: this.job.restarts,
            ...(this.timeLimitAt !== undefined && { timeLimitAt: this.timeLimitAt }),
            preemptMode: this.preemptMode ?? 'unknown',
            attempts,
            progressed,
            now,
            waitedMs: now - started,
          },
          limits,
        );
        const key = `${decision.action} ${decision.cause} ${decision.why}`;
        if (key !== told) onDecision?.(decision);
        told = key;
        const exitCode = await this.act(decision);
        if (exitCode !== undefined) return { exitCode, decision };
        // A controller that never comes back: the batch shell tries for one more minute, then the job ends.
        if (now - started > 2 * limits.maxWaitMs) return { exitCode: REQUEUE_EXIT_CODE, decision };
        await new Promise((resolve) => setTimeout(resolve, this.options.pollMs ?? 2_000));
      }
    } finally {
      for (const signal of SETTLED_SIGNALS) process.removeListener(signal, ignore);
    }
  }

  /** The exit code, or undefined to go on waiting. */
  private async act({ action, cause }: Decision): Promise<Ending['exitCode'] | undefined> {
    if (action === 'exit-finished') return 0;
    if (action === 'exit-failed') return 1;
    // Already in the queue again: leaving now frees the node, and ends an overlap with the next run of the job.
    if (action === 'wait-for-requeue') return cause === 'requeued' ? 0 : undefined;
    if (this.job.rank !== 0) return undefined; // one task speaks for all
    try {
      await requeueJob(this.runner, this.job.id);
      return undefined; // the next look sees it requeued
    } catch (error) {
      if (!(error instanceof SlurmError)) throw error;
      if (isWithoutSlurm(error)) return REQUEUE_EXIT_CODE;
      return undefined; // the controller is away, or something changed meanwhile: look again
    }
  }

  private async look(): Promise<JobView> {
    try {
      const job = await readJob(this.runner, this.job.id);
      this.interactive = job.batch === false;
      if (this.preemptMode === undefined && job.partition !== undefined) {
        this.preemptMode = (await readPartition(this.runner, job.partition)).preemptMode;
      }
      return { known: true, job };
    } catch (error) {
      if (!(error instanceof SlurmError)) throw error;
      if (error.kind === 'no-such-job') return { known: false, because: 'no-such-job' };
      return { known: false, because: isWithoutSlurm(error) ? 'no-scontrol' : 'unreachable' };
    }
  }
}

function isWithoutSlurm({ kind }: SlurmError): boolean {
  return kind === 'not-installed' || kind === 'not-configured';
}

/** Slurm 23.02 and later say it in the environment; good until the controller can be asked. */
function endTimeFrom(env: NodeJS.ProcessEnv): number | undefined {
  const seconds = Number(env.SLURM_JOB_END_TIME);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
}
