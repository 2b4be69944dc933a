/**
 * A run inside a Slurm job: joins the job before anything else, says when to stop, and after the last save does what
 * loses nothing (docs/SLURM.md). Keeps the record of attempts that Slurm itself does not keep, one line per event.
 *
 *   const session = await joinSlurmJob({ record: path.join(logs, 'slurm.jsonl'), progress, logger });
 *   …at each step boundary: if (signalled || session?.stopNotice()) stop and save
 *   …at the very end: if (session) exitCode = (await session.end({ kind: 'stopped', progress })).exitCode
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import {
  type AttemptSummary,
  type Decision,
  type Ending,
  type JobContext,
  type JobSupervisor,
  type Stop,
  type SupervisorOptions,
  superviseJob,
} from '@latentwire/slurm';
import { JsonLinesWriter, type Logger, readJsonLines } from '../../telemetry/index.js';

/** How the work of this process ended. `progress`: how far it is, saved; any number that grows with it. */
export type WorkEnd =
  | { readonly kind: 'finished'; readonly progress: number }
  /** on a signal, or because the time limit is near */
  | { readonly kind: 'stopped'; readonly progress: number }
  /** Two failures with the same signature are the same. `retryable`: it may be the machine's fault. */
  | {
      readonly kind: 'failed';
      readonly signature: string;
      readonly retryable: boolean;
      readonly progress: number;
    };

/** Why to stop, and when that was on the clock of `performance.now()`; as a run's interruption takes it. */
export interface StopNotice {
  /** `SIGTERM`, …, or `TIME_LIMIT`. */
  readonly name: string;
  readonly monotonicMs: number;
}

export interface JoinOptions {
  /** File of the attempt record, e.g. logs/slurm.jsonl of the run. */
  readonly record: string;
  /** How far the run is now, as `WorkEnd` counts it. */
  readonly progress: number;
  readonly logger: Logger;
  /** How long before the time limit to stop; default 120 s, but at most a quarter of the time that there is. */
  readonly leadSeconds?: number;
  /** Told of each decision before it is acted upon, e.g. to write status.json. */
  readonly onDecision?: (decision: Decision) => void;
  readonly supervisor?: SupervisorOptions;
}

export interface SlurmSession {
  readonly job: JobContext;
  /** Counts from 1 within this job. */
  readonly attempt: number;
  /** A signal that came since the job was joined, or the nearing time limit. Cheap. */
  stopNotice(): StopNotice | undefined;
  /** Call once, after the last write. While Slurm is to requeue the job, it does not return. */
  end(end: WorkEnd): Promise<Ending>;
}

type AttemptRecord =
  | { event: 'start'; at: string; job: string; restarts: number; node: string | null; progress: number }
  | {
      event: 'end';
      at: string;
      job: string;
      kind: WorkEnd['kind'];
      signature: string | null;
      progress: number;
    }
  | { event: 'decision'; at: string; job: string; action: string; cause: string; why: string };

const DEFAULT_LEAD_SECONDS = 120;
const STOP_SIGNALS = ['SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;

/** Joins the job around this process; undefined outside Slurm. */
export async function joinSlurmJob(options: JoinOptions): Promise<SlurmSession | undefined> {
  const supervisor = await superviseJob(options.supervisor);
  return supervisor && new Session(supervisor, options);
}

class Session implements SlurmSession {
  readonly job: JobContext;
  readonly attempt: number;
  private readonly attempts: readonly AttemptSummary[];
  private readonly leadMs: number;
  private notice: StopNotice | undefined;

  constructor(
    private readonly supervisor: JobSupervisor,
    private readonly options: JoinOptions,
  ) {
    this.job = supervisor.job;
    // From now on: while models load nothing else would hear a signal, and it would end the process.
    for (const name of STOP_SIGNALS) process.on(name, () => this.stop(name));
    const { timeLimitAt = Number.POSITIVE_INFINITY } = supervisor;
    const wishedMs = 1000 * (options.leadSeconds ?? DEFAULT_LEAD_SECONDS);
    this.leadMs = Math.min(wishedMs, Math.max(0, timeLimitAt - Date.now()) / 4);
    this.attempts = readAttemptSummaries(options.record, this.job.id, options.progress);
    this.attempt = this.attempts.length + 1;
    const { id, restarts, node = null } = this.job;
    this.write({ event: 'start', at: now(), job: id, restarts, node, progress: options.progress });
  }

  stopNotice(): StopNotice | undefined {
    if (this.notice === undefined) {
      if (this.supervisor.stopWanted(this.leadMs) !== undefined) this.stop('TIME_LIMIT');
    }
    return this.notice;
  }

  private stop(name: string): void {
    this.notice ??= { name, monotonicMs: performance.now() };
  }

  async end(end: WorkEnd): Promise<Ending> {
    const { logger, onDecision, progress } = this.options;
    const signature = end.kind === 'failed' ? end.signature : null;
    this.write({
      event: 'end',
      at: now(),
      job: this.job.id,
      kind: end.kind,
      signature,
      progress: end.progress,
    });
    return this.supervisor.settle({
      stop: this.stopOf(end),
      progressed: end.progress > progress,
      attempts: this.attempts,
      onDecision: (decision) => {
        const { action, cause, why } = decision;
        logger.info(`Slurm job ${this.job.id}: ${why}: ${action}`);
        this.write({ event: 'decision', at: now(), job: this.job.id, action, cause, why });
        try {
          onDecision?.(decision);
        } catch (error) {
          logger.warn(`the decision was not recorded: ${(error as Error).message}`);
        }
      },
    });
  }

  private stopOf(end: WorkEnd): Stop {
    if (end.kind === 'finished') return { kind: 'finished' };
    if (end.kind === 'failed') return { kind: 'crash', signature: end.signature, retryable: end.retryable };
    const signal = this.notice?.name ?? 'signal';
    return signal === 'TIME_LIMIT' ? { kind: 'time-limit' } : { kind: 'signal', signal };
  }

  /** Of several tasks one keeps the record. A full disk must not keep the job from its requeue. */
  private write(record: AttemptRecord): void {
    if (this.job.rank !== 0) return;
    try {
      mkdirSync(path.dirname(this.options.record), { recursive: true });
      const writer = new JsonLinesWriter(this.options.record);
      writer.append(record);
      writer.close();
    } catch (error) {
      this.options.logger.warn(`the attempt was not recorded: ${(error as Error).message}`);
    }
  }
}

/** Earlier attempts of this job, oldest first; a new submission begins a new list. `progress`: how far the run is now. */
export function readAttemptSummaries(record: string, job: string, progress: number): AttemptSummary[] {
  const events = (readJsonLines(record) as unknown as AttemptRecord[]).filter((event) => event.job === job);
  const attempts: { start: number; saved?: number; end?: AttemptRecord & { event: 'end' } }[] = [];
  for (const event of events) {
    const open = attempts.at(-1);
    if (event.event === 'start') {
      // A killed attempt says nothing of its end; where the next one begins tells what it saved.
      if (open !== undefined && open.end === undefined) open.saved = event.progress;
      attempts.push({ start: event.progress });
    } else if (event.event === 'end' && open !== undefined) {
      open.end = event;
      open.saved = event.progress;
    }
  }
  return attempts.map(({ start, saved = progress, end }) => ({
    progressed: saved > start,
    end: end === undefined ? 'unknown' : end.kind === 'failed' ? 'crash' : 'preemption',
    ...(end?.signature != null && { crashSignature: end.signature }),
  }));
}

const now = () => new Date().toISOString();
