/**
 * A run inside a Slurm job: joins the job at the start, says when the time limit is near, and after the last save does
 * what loses nothing (docs/SLURM.md). Keeps the record of attempts that Slurm itself does not keep, one line per event.
 *
 *   const session = await joinSlurmJob({ record: path.join(logs, 'slurm.jsonl'), step, logger });
 *   …at each step boundary: if (session?.timeLimitNear()) stop and save
 *   …at the very end: if (session) exitCode = (await session.end({ kind: 'stopped', signal, step })).exitCode
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

/** How the work of this process ended. `step`: how far the run is, saved; any number that grows with progress. */
export type WorkEnd =
  | { readonly kind: 'finished'; readonly step: number }
  /** `signal`: null when it stopped because the time limit is near */
  | { readonly kind: 'stopped'; readonly signal: string | null; readonly step: number }
  /** Two failures with the same signature are the same. `retryable`: it may be the machine's fault. */
  | {
      readonly kind: 'failed';
      readonly signature: string;
      readonly retryable: boolean;
      readonly step: number;
    };

export interface JoinOptions {
  /** File of the attempt record, e.g. logs/slurm.jsonl of the run. */
  readonly record: string;
  /** Where the run stands now: the step of the checkpoint it goes on from. */
  readonly step: number;
  readonly logger: Logger;
  /** How long before the time limit to stop; default 120 s. */
  readonly leadSeconds?: number;
  /** Told of each decision before it is acted upon, e.g. to write status.json. */
  readonly onDecision?: (decision: Decision) => void;
  readonly supervisor?: SupervisorOptions;
}

export interface SlurmSession {
  readonly job: JobContext;
  /** Counts from 1 within this job. */
  readonly attempt: number;
  timeLimitNear(): boolean;
  /** Call once, after the last write. While Slurm is to requeue the job, it does not return. */
  end(end: WorkEnd): Promise<Ending>;
}

type AttemptRecord =
  | { event: 'start'; at: string; job: string; restarts: number; node: string | null; step: number }
  | { event: 'end'; at: string; job: string; kind: WorkEnd['kind']; signature: string | null; step: number }
  | { event: 'decision'; at: string; job: string; action: string; cause: string; why: string };

const DEFAULT_LEAD_SECONDS = 120;

/** Joins the job around this process; undefined outside Slurm. */
export async function joinSlurmJob(options: JoinOptions): Promise<SlurmSession | undefined> {
  const supervisor = await superviseJob(options.supervisor);
  return supervisor && new Session(supervisor, options);
}

class Session implements SlurmSession {
  readonly job: JobContext;
  readonly attempt: number;
  private readonly attempts: readonly AttemptSummary[];

  constructor(
    private readonly supervisor: JobSupervisor,
    private readonly options: JoinOptions,
  ) {
    this.job = supervisor.job;
    this.attempts = readAttemptSummaries(options.record, this.job.id, options.step);
    this.attempt = this.attempts.length + 1;
    const { id, restarts, node = null } = this.job;
    this.write({ event: 'start', at: now(), job: id, restarts, node, step: options.step });
  }

  timeLimitNear(): boolean {
    return (
      this.supervisor.stopWanted(1000 * (this.options.leadSeconds ?? DEFAULT_LEAD_SECONDS)) !== undefined
    );
  }

  async end(end: WorkEnd): Promise<Ending> {
    const { logger, onDecision, step } = this.options;
    const signature = end.kind === 'failed' ? end.signature : null;
    this.write({ event: 'end', at: now(), job: this.job.id, kind: end.kind, signature, step: end.step });
    return this.supervisor.settle({
      stop: stopOf(end),
      progressed: end.step > step,
      attempts: this.attempts,
      onDecision: (decision) => {
        const { action, cause, why } = decision;
        logger.info(`Slurm job ${this.job.id}: ${why}: ${action}`);
        this.write({ event: 'decision', at: now(), job: this.job.id, action, cause, why });
        onDecision?.(decision);
      },
    });
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

/** Earlier attempts of this job, oldest first; a new submission begins a new list. `step`: where the run stands now. */
export function readAttemptSummaries(record: string, job: string, step: number): AttemptSummary[] {
  const events = (readJsonLines(record) as unknown as AttemptRecord[]).filter((event) => event.job === job);
  const attempts: { start: number; saved?: number; end?: AttemptRecord & { event: 'end' } }[] = [];
  for (const event of events) {
    const open = attempts.at(-1);
    if (event.event === 'start') {
      // A killed attempt says nothing of its end; where the next one begins tells what it saved.
      if (open !== undefined && open.end === undefined) open.saved = event.step;
      attempts.push({ start: event.step });
    } else if (event.event === 'end' && open !== undefined) {
      open.end = event;
      open.saved = event.step;
    }
  }
  return attempts.map(({ start, saved = step, end }) => ({
    progressed: saved > start,
    end: end === undefined ? 'unknown' : end.kind === 'failed' ? 'crash' : 'preemption',
    ...(end?.signature != null && { crashSignature: end.signature }),
  }));
}

function stopOf(end: WorkEnd): Stop {
  if (end.kind === 'finished') return { kind: 'finished' };
  if (end.kind === 'failed') return { kind: 'crash', signature: end.signature, retryable: end.retryable };
  return end.signal === null ? { kind: 'time-limit' } : { kind: 'signal', signal: end.signal };
}

const now = () => new Date().toISOString();
