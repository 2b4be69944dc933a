/**
 * The run directory: the one place that creates and writes it. `openRun` starts an attempt (a new run, or a
 * run found again by name); `findRun` only reads.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { changedSettings, type RunConfig } from '../config/index.js';
import { LatentWireError, nearestName } from '../errors.js';
import { removeLeftovers, writeJsonAtomic } from './atomic-file.js';
import { type Clock, systemClock } from './clock.js';
import { DiagnosticsWriter, type StepRecord } from './diagnostics.js';
import { collectEnvironment, type Environment } from './environment.js';
import { type FileSystem, ioError } from './file-system.js';
import type { JsonRecord } from './json.js';
import { LogTee, type OutputCapture } from './log-tee.js';
import { type RunMetrics, writeMetrics } from './metrics.js';
import { PredictionsWriter } from './predictions.js';
import { RunLock } from './run-lock.js';
import { type RunId, type RunPaths, runIdOf, runPaths } from './run-paths.js';
import { type RunStatus, readStatus, type StatusUpdate, writeStatus } from './status.js';
import { EventWriter } from './tensorboard/index.js';

export interface OpenRunOptions {
  /** Folder of all runs; `runs` by default. */
  readonly root?: string;
  readonly config: RunConfig;
  /** When the run exists with other settings: refuse (default), or start anew with these. */
  readonly onConfigChange?: 'refuse' | 'replace';
  /** Groups of settings that may have changed all the same: to score a run again, `evaluation`. */
  readonly mayChange?: readonly (keyof RunConfig)[];
  /** config.json stays as it is, although `mayChange` lets settings differ. */
  readonly keepConfig?: boolean;
  /** Version of libtorch, for environment.json. */
  readonly torch?: string | null;
  /** Copy stdout and stderr into logs/; true by default. */
  readonly tee?: boolean;
  /** Copies what native code writes to descriptors 1 and 2; absent: only output of JavaScript is in the log. */
  readonly capture?: OutputCapture;
  /** Told once when diagnostics cannot be written (disk full); rows then wait in memory. Absent: such a write throws. */
  readonly onTrouble?: (message: string) => void;
  readonly clock?: Clock;
  readonly fs?: FileSystem;
}

const ATOMIC_FILES = new Set([
  'config.json',
  'environment.json',
  'status.json',
  'metrics.json',
  'batch_size.json',
  'latest.log',
]);

/** One attempt at a run. Close it when done; `using` works. */
export class Run {
  readonly id: RunId;
  readonly paths: RunPaths;
  /** 1 for a new run, one more for each later start. */
  readonly attempt: number;
  /** Status of the attempt before, undefined for a new run. */
  readonly previous: RunStatus | undefined;
  readonly diagnostics: DiagnosticsWriter;
  /** What environment.json says of this attempt. */
  readonly environment: Environment;
  readonly #lock: RunLock;
  #events: EventWriter | undefined;
  readonly #clock: Clock;
  readonly #fs: FileSystem | undefined;
  readonly #tee: LogTee | undefined;
  readonly #startedAt: string;
  readonly #onTrouble: ((message: string) => void) | undefined;

  /** Use `openRun`. */
  constructor(parts: {
    readonly id: RunId;
    readonly paths: RunPaths;
    readonly attempt: number;
    readonly previous: RunStatus | undefined;
    readonly environment: Environment;
    readonly lock: RunLock;
    readonly tee: LogTee | undefined;
    readonly clock: Clock;
    readonly fs: FileSystem | undefined;
    readonly onTrouble: ((message: string) => void) | undefined;
  }) {
    this.id = parts.id;
    this.paths = parts.paths;
    this.attempt = parts.attempt;
    this.previous = parts.previous;
    this.environment = parts.environment;
    this.#lock = parts.lock;
    this.#tee = parts.tee;
    this.#clock = parts.clock;
    this.#fs = parts.fs;
    this.#onTrouble = parts.onTrouble;
    this.#startedAt = parts.clock.now().toISOString();
    this.diagnostics = new DiagnosticsWriter(this.paths.diagnostics, {
      attempt: this.attempt,
      clock: parts.clock,
      ...(parts.fs && { fs: parts.fs }),
      ...(parts.onTrouble && { onTrouble: parts.onTrouble }),
    });
  }

  /** Steps after `lastStep` follow; event files of earlier attempts are cut back to it. */
  beginSteps(lastStep: number): void {
    try {
      this.#events = new EventWriter(path.join(this.paths.logs, 'tensorboard'), lastStep, this.#clock);
    } catch {
      // A copy for other tools: diagnostics.jsonl has everything.
    }
  }

  /** Records one step in diagnostics.jsonl and for TensorBoard. @throws as `DiagnosticsWriter.append` */
  appendStep(record: StepRecord): void {
    this.diagnostics.append(record);
    const { step, ...values } = record;
    this.#events?.append(step, values);
  }

  /** Says that this process is still at work; call it between steps. @throws LatentWireError `state` when taken over */
  renewLock(): void {
    this.#lock.renew();
  }

  /** The same now: before a checkpoint or a result is written. @throws LatentWireError `state` when taken over */
  confirmLock(): void {
    this.#lock.confirm();
  }

  /** Log of this attempt; undefined without a tee. */
  get logFile(): string | undefined {
    return this.#tee?.path;
  }

  /** Puts the status of the attempt before back, for one that changed nothing of the run. @returns whether there was one */
  restoreStatus(): boolean {
    if (this.previous !== undefined) this.setStatus(this.previous);
    return this.previous !== undefined;
  }

  /** Replaces status.json. @throws LatentWireError `io`, or `state` when taken over; the previous status stays. */
  setStatus(update: StatusUpdate): void {
    this.confirmLock();
    const updated_at = this.#clock.now().toISOString();
    const { slurm_job: job, slurm_restarts: restarts } = this.#lock.owner;
    const known = { run: this.id, attempt: this.attempt, updated_at };
    const slurm = job === null ? {} : { slurm: { job, restarts } };
    writeStatus(this.paths.status, { ...update, ...known, ...slurm }, this.#fs);
  }

  /** The `running` status of this process in `phase` after `step` steps. */
  setRunning(phase: string, step: number): void {
    const host = os.hostname();
    try {
      this.setStatus({ state: 'running', phase, step, pid: process.pid, host, started_at: this.#startedAt });
    } catch (error) {
      // A full disk is no reason to end a training.
      const lost = error instanceof LatentWireError && error.code === 'state';
      if (lost || this.#onTrouble === undefined) throw error;
      this.#onTrouble((error as Error).message);
    }
  }

  /** Writes a line into the log of this attempt alone; nothing without a tee. */
  note(line: string): void {
    this.#tee?.note(line);
  }

  /** Replaces logs/metrics.json. @throws as `setStatus` */
  writeMetrics(metrics: RunMetrics): void {
    this.confirmLock();
    writeMetrics(this.paths.metrics, metrics, this.#fs);
  }

  /** Opens predictions.jsonl; `resume` keeps its rows. */
  openPredictions(options: { readonly resume: boolean }): PredictionsWriter {
    return new PredictionsWriter(this.paths.predictions, { ...options, ...(this.#fs && { fs: this.#fs }) });
  }

  close(): void {
    this.diagnostics.close();
    this.#events?.close();
    this.#tee?.close();
    this.#lock.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Starts an attempt at the run `name`: creates its folders, locks it, records configuration and environment, begins the
 * log, sets the status to running.
 * @throws LatentWireError `input` (bad name), `state` (other settings than the run began with, or another process is
 *   at work on it), `io`.
 */
export async function openRun(name: string, options: OpenRunOptions): Promise<Run> {
  const { root = 'runs' } = options;
  const id = runIdOf(name);
  const paths = runPaths(root, id);
  createFolders(paths);
  const lock = RunLock.acquire(paths.lock);
  try {
    return await startAttempt(id, paths, lock, options);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startAttempt(
  id: RunId,
  paths: RunPaths,
  lock: RunLock,
  options: OpenRunOptions,
): Promise<Run> {
  const { config, clock = systemClock, fs, torch = null, tee = true, capture, onTrouble } = options;
  for (const folder of [paths.directory, paths.logs]) removeLeftovers(folder, ATOMIC_FILES, fs);

  const previous = readStatus(paths.status);
  const before = readDocument(paths.config);
  if (
    before !== undefined &&
    (options.onConfigChange ?? 'refuse') === 'refuse' &&
    !neverBegan(paths, previous)
  )
    refuseChange(id, before, config, options.mayChange ?? []);
  const attempt = (previous?.attempt ?? 0) + 1;

  const earlier = readDocument(paths.environment) as
    | (Environment & { earlier_attempts?: unknown[] })
    | undefined;
  const environment = await collectEnvironment({ attempt, torch, clock });
  if (before === undefined || options.keepConfig !== true) writeJsonAtomic(paths.config, config, fs);
  writeJsonAtomic(paths.environment, { ...environment, earlier_attempts: withoutNesting(earlier) }, fs);

  const log = tee
    ? new LogTee(paths.logs, { clock, ...(fs && { fs }), ...(capture && { capture }) })
    : undefined;
  try {
    const run = new Run({ id, paths, attempt, previous, environment, lock, tee: log, clock, fs, onTrouble });
    run.setRunning('load', 0);
    return run;
  } catch (error) {
    log?.close();
    throw error;
  }
}

export interface RunRecord {
  readonly id: RunId;
  readonly paths: RunPaths;
  /** As written; check it with `runConfigSchema` before use. */
  readonly config: unknown;
  readonly status: RunStatus | undefined;
}

/** Reads the run `name` without touching it. @throws LatentWireError `input` naming the nearest run. */
export function findRun(name: string, options: { readonly root?: string } = {}): RunRecord {
  const { root = 'runs' } = options;
  const id = runIdOf(name);
  const paths = runPaths(root, id);
  if (!existsSync(paths.config)) {
    const names = existsSync(root) ? readdirSync(root) : [];
    const near = nearestName(name, names);
    throw new LatentWireError(`expected a run named ${name} in ${root}, found none`, {
      code: 'input',
      hint: near === undefined ? 'runs are made by latentwire train' : `did you mean ${near}?`,
    });
  }
  return { id, paths, config: readDocument(paths.config), status: readStatus(paths.status) };
}

function createFolders(paths: RunPaths): void {
  for (const folder of [paths.logs, paths.checkpoints, paths.figures]) {
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw ioError('create', folder, error);
    }
  }
}

/**
 * Whether attempts so far ended before there was anything to keep, say at a mistyped path: the corrected command
 * may then have the name.
 */
function neverBegan(paths: RunPaths, previous: RunStatus | undefined): boolean {
  if (previous?.state !== 'failed' || previous.step > 0) return false;
  const results = [paths.predictions, paths.metrics, path.join(paths.logs, 'batch_size.json')];
  if (results.some((file) => existsSync(file)) || readdirSync(paths.checkpoints).length > 0) return false;
  return !existsSync(paths.diagnostics) || statSync(paths.diagnostics).size === 0;
}

/** Settings marked `operational` may differ between attempts: they do not change the result. */
function refuseChange(
  id: RunId,
  before: unknown,
  config: RunConfig,
  mayChange: readonly (keyof RunConfig)[],
): void {
  const changed = changedSettings(before, config).filter(
    ({ path }) => !mayChange.some((group) => path.startsWith(`${group}.`)),
  );
  if (changed.length === 0) return;
  const list = changed.map(
    ({ path, before: was, after }) =>
      `\n  ${path} was ${JSON.stringify(was)}, is now ${JSON.stringify(after)}`,
  );
  throw new LatentWireError(`run ${id} was begun with other settings:${list.join('')}`, {
    code: 'state',
    hint: 'choose another --save-dir for the new settings, or repeat the old ones to continue',
  });
}

function readDocument(file: string): JsonRecord | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JsonRecord;
  } catch (error) {
    throw new LatentWireError(`${path.resolve(file)} is not valid JSON: ${(error as Error).message}`, {
      code: 'format',
      hint: 'restore it, or choose another --save-dir',
      cause: error,
    });
  }
}

function withoutNesting(earlier: (Environment & { earlier_attempts?: unknown[] }) | undefined): unknown[] {
  if (earlier === undefined) return [];
  const { earlier_attempts = [], ...last } = earlier;
  return [...earlier_attempts, last];
}
