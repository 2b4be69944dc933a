/**
 * When and how a run saves. Periodic saves run in a native thread: the tensors are copied while the next gradients are
 * computed, and only the update waits for the copy. A signal's save and the last one are waited for. A disk that is
 * full or broken does not end the run: saving pauses, the last good checkpoint stays, and it is tried again.
 */
import fs from 'node:fs';
import * as t from '@latentwire/torch';
import { canonicalJson, settingsHash } from '../../config/index.js';
import { LatentWireError } from '../../errors.js';
import { type Interruption, ioError, type Logger, type Run, writeJsonAtomic } from '../../telemetry/index.js';
import { backupPath, checkpointPath, metadataPath } from './files.js';
import type { RunIdentity } from './identity.js';
import { CHECKPOINT_FORMAT, CHECKPOINT_VERSION, type CheckpointState } from './state.js';
import { checkpointTensors, type TrainedTensors } from './tensors.js';

export interface SaverOptions {
  readonly run: Pick<Run, 'paths' | 'diagnostics' | 'confirmLock'>;
  readonly identity: RunIdentity;
  readonly trained: TrainedTensors;
  readonly logger: Logger;
  readonly interruption: Interruption;
  /** Seconds between periodic saves; 0: none. */
  readonly intervalSeconds: number;
  /** @internal Fault injection: asked for each save. */
  readonly fault?: () => t.SaveFault | undefined;
  readonly now?: () => number;
}

/** Seconds until a failed periodic save is tried again; doubled each time. */
const FIRST_RETRY_SECONDS = 30;
const LONGEST_RETRY_SECONDS = 600;
/** A rate to start from, before the first save was measured. */
const ASSUMED_BYTES_PER_SECOND = 100e6;

export class CheckpointSaver {
  readonly #options: SaverOptions;
  readonly #path: string;
  readonly #now: () => number;
  #running: { save: t.SafetensorsSave; state: CheckpointState; blocked: number } | undefined;
  #lastStartMs: number;
  #retryAtMs = 0;
  #retrySeconds = FIRST_RETRY_SECONDS;
  #bytesPerSecond = ASSUMED_BYTES_PER_SECOND;
  #savedStep: number | null = null;
  #failure: LatentWireError | undefined;

  constructor(options: SaverOptions) {
    this.#options = options;
    this.#path = checkpointPath(options.run.paths);
    this.#now = options.now ?? (() => performance.now());
    this.#lastStartMs = this.#now();
  }

  /** Step of the checkpoint that this attempt last saved, or null. */
  get savedStep(): number | null {
    return this.#savedStep;
  }

  /** Why the last save failed; undefined when it did not. */
  get failure(): LatentWireError | undefined {
    return this.#failure;
  }

  /** Exact size of a checkpoint in bytes. */
  budget(state: CheckpointState): number {
    return t.SafetensorsSave.fileBytes(checkpointTensors(this.#options.trained), this.#metadata(state));
  }

  /** Seconds that a save is expected to take. */
  estimateSeconds(state: CheckpointState): number {
    return this.budget(state) / this.#bytesPerSecond + 0.5;
  }

  /** @throws LatentWireError `io` when nothing can be written there, or a second checkpoint would not fit beside the first */
  requireSpace(state: CheckpointState): void {
    const bytes = this.budget(state);
    const folder = this.#options.run.paths.checkpoints;
    try {
      fs.accessSync(folder, fs.constants.W_OK | fs.constants.X_OK);
    } catch (error) {
      throw ioError('save checkpoints in', folder, error);
    }
    const { bavail, bsize } = fs.statfsSync(folder);
    const free = bavail * bsize;
    this.#options.logger.info('checkpoint budget', { bytes, during_save: 2 * bytes, free });
    if (free >= bytes) return;
    throw new LatentWireError(`expected ${bytes} free bytes for a checkpoint in ${folder}, got ${free}`, {
      code: 'io',
      hint: 'free some space, or choose another --save-dir',
    });
  }

  /** Call before the first step: the first save then stops no step for its memory. */
  reserveMemory(): void {
    try {
      t.SafetensorsSave.reserve(checkpointTensors(this.#options.trained).values());
    } catch (error) {
      this.#options.logger.warn(`no memory set aside for saves: ${(error as Error).message}`);
    }
  }

  /**
   * Call after each step: takes note of a finished save and starts one that is due.
   * @throws LatentWireError `state` when another process has taken the run over
   */
  afterStep(state: () => CheckpointState): void {
    if (this.#running?.save.finished === true) this.#take();
    if (this.#running !== undefined || this.#options.intervalSeconds === 0) return;
    const now = this.#now();
    if (now - this.#lastStartMs < this.#options.intervalSeconds * 1000 || now < this.#retryAtMs) return;
    this.#lastStartMs = now;
    this.#options.run.confirmLock();
    try {
      this.#start(state(), true);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Call before tensors change: waits until the copy of a save under way is complete. */
  beforeUpdate(): void {
    if (this.#running === undefined) return;
    const began = this.#now();
    this.#running.save.waitForSnapshot();
    this.#running.blocked += this.#now() - began;
  }

  /**
   * Saves and waits until the checkpoint is durable.
   * @returns false when that failed; see `failure`
   * @throws LatentWireError `state` when another process has taken the run over
   */
  saveNow(state: CheckpointState): boolean {
    if (this.#running !== undefined) this.#take();
    this.#options.run.confirmLock();
    try {
      this.#start(state, false);
      this.#take();
    } catch (error) {
      this.#failed(error);
    }
    return this.#failure === undefined;
  }

  /** Waits for a save under way. */
  finish(): void {
    if (this.#running !== undefined) this.#take();
  }

  #start(state: CheckpointState, snapshot: boolean): void {
    const began = this.#now();
    const { run, trained, fault } = this.#options;
    // Every row up to this step is durable before the checkpoint is: a reader never finds a gap.
    run.diagnostics.sync();
    const injected = fault?.();
    const save = t.SafetensorsSave.start(this.#path, checkpointTensors(trained), {
      backup: backupPath(run.paths),
      metadata: this.#metadata(state),
      snapshot,
      ...(injected !== undefined && { fault: injected }),
    });
    this.#running = { save, state, blocked: this.#now() - began };
  }

  #take(): void {
    const { save, state, blocked } = this.#running!;
    this.#running = undefined;
    const { logger, interruption, run } = this.#options;
    try {
      const result = save.wait();
      this.#failure = undefined;
      this.#retrySeconds = FIRST_RETRY_SECONDS;
      this.#savedStep = state.step;
      this.#bytesPerSecond = result.bytes / Math.max(result.seconds, 1e-3);
      const since = interruption.requested() ? interruption.secondsSince() : undefined;
      logger.info('saved checkpoint', {
        step: state.step,
        bytes: result.bytes,
        seconds: round(result.seconds),
        gb_per_s: round(result.bytes / Math.max(result.writeSeconds, 1e-6) / 1e9),
        blocked_seconds: round(blocked / 1000),
        ...(since !== undefined && { signal_to_durable_seconds: round(since) }),
      });
      this.#writeReadableCopy(run.paths, state, result);
    } catch (error) {
      this.#failed(error);
    }
  }

  #writeReadableCopy(
    paths: SaverOptions['run']['paths'],
    state: CheckpointState,
    result: t.SaveResult,
  ): void {
    const { identity, logger } = this.#options;
    try {
      const document = { state, ...identity.facts, bytes: result.bytes, file_xxh64: result.digest };
      writeJsonAtomic(metadataPath(paths), document);
    } catch (error) {
      logger.warn(`${(error as Error).message}; the checkpoint itself is whole`);
    }
  }

  #failed(error: unknown): void {
    this.#running = undefined;
    this.#failure = ioError(
      'save',
      this.#path,
      error instanceof t.SafetensorsError ? (error.cause ?? error) : error,
    );
    this.#retryAtMs = this.#now() + this.#retrySeconds * 1000;
    this.#options.logger.warn(`${this.#failure.message}; training goes on, the last good checkpoint stays`, {
      ...(this.#savedStep !== null && { last_good_step: this.#savedStep }),
      next_try_in_seconds: this.#retrySeconds,
    });
    this.#lastStartMs = Number.NEGATIVE_INFINITY;
    this.#retrySeconds = Math.min(2 * this.#retrySeconds, LONGEST_RETRY_SECONDS);
  }

  #metadata(state: CheckpointState): Record<string, string> {
    const { identity } = this.#options;
    return {
      format: CHECKPOINT_FORMAT,
      version: CHECKPOINT_VERSION,
      config_hash: settingsHash(identity.config),
      identity: canonicalJson(identity),
      state: canonicalJson(state),
      step: String(state.step),
    };
  }
}

function round(x: number): number {
  return Number(x.toPrecision(4));
}
