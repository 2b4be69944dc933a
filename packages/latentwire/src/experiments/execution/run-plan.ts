/**
 * Carries a plan out. There is no head process: this loop can be killed at any moment and started again, in
 * any shell, several at once. What it knows it reads from the plan and the experiment directory; a cell is
 * worked on only under its claim.
 */
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Logger, type RunStatus, readStatus, runIdOf, runPaths } from '../../telemetry/index.js';
import type { Cell, CellId, Plan } from '../plan/expand.js';
import { type AttemptEnd, classify, readAttempts, recordAttempt, wasDeleted } from '../state/attempts.js';
import { type CellState, cellState, checkpointStep } from '../state/cell-state.js';
import type { Claim, Claims } from '../state/claims.js';
import { cellFiles, writePlanRecord } from '../state/experiment-folder.js';
import { hostIdentity, isAlive } from '../state/process-identity.js';
import type { Attempt, Executor, RunningAttempt } from './executor.js';
import { type Readiness, readiness } from './gates.js';

export interface RunPlanOptions {
  readonly executor: Executor;
  readonly claims: Claims;
  readonly logger: Logger;
  /** Aborted: running cells are asked to save and end, and the loop ends with them. */
  readonly signal?: AbortSignal;
  /** Aborted: running cells are ended at once. */
  readonly killSignal?: AbortSignal;
  readonly ignoreGates?: boolean;
  /** Failed cells get new attempts. */
  readonly retryFailed?: boolean;
  /** Wait for cells that other shells work on; true by default. */
  readonly wait?: boolean;
  /** How long to wait for them while nothing runs here, ms; for ever by default. */
  readonly patienceMs?: number;
  /** How often the directory is looked at for what others have done, ms. */
  readonly pollMs?: number;
  /** Rest after a crash before the next attempt, ms; doubled by each further one. */
  readonly crashPauseMs?: number;
}

export interface PlanOutcome {
  readonly states: ReadonlyMap<CellId, CellState>;
  readonly phases: ReadonlyMap<string, Readiness>;
  /** Cells that this runner carried to their end. */
  readonly completed: number;
  /** The loop was asked to stop. */
  readonly stopped: boolean;
}

/** Works until every cell that can be done is done. @throws LatentWireError `io` */
export async function runPlan(plan: Plan, options: RunPlanOptions): Promise<PlanOutcome> {
  writePlanRecord(plan);
  return runCells(plan, options);
}

/** The same for a part of a plan: what the directory records of the whole plan stays. @throws LatentWireError `io` */
export function runCells(part: Plan, options: RunPlanOptions): Promise<PlanOutcome> {
  return new Runner(part, options).run();
}

interface Active {
  readonly cell: Cell;
  readonly claim: Claim;
  readonly attempt: RunningAttempt;
}

function isOrphan(state: CellState): boolean {
  return state.kind === 'running' && state.orphan;
}

/** The run belongs to a living process of this machine, which was not started from here. */
function isHeld(status: RunStatus | undefined): boolean {
  if (status?.state !== 'running' || status.host !== os.hostname()) return false;
  return isAlive({ host: hostIdentity(), pid: status.pid, started: null }) === true;
}

class Runner {
  readonly #plan: Plan;
  readonly #options: RunPlanOptions;
  readonly #active = new Map<CellId, Active>();
  readonly #states = new Map<CellId, CellState>();
  /** Crashed cells rest until this time (monotonic ms). */
  readonly #restUntil = new Map<CellId, number>();
  #completed = 0;
  /** Since when nothing runs here (monotonic ms). */
  #idleSince = performance.now();
  /** What went wrong while an end was recorded. */
  #failure: unknown;
  #wake: () => void = () => {};

  constructor(plan: Plan, options: RunPlanOptions) {
    this.#plan = plan;
    this.#options = options;
  }

  async run(): Promise<PlanOutcome> {
    const { signal, killSignal, retryFailed = false } = this.#options;
    const onAbort = (): void => {
      for (const { attempt } of this.#active.values()) attempt.stop();
      this.#wake();
    };
    signal?.addEventListener('abort', onAbort);
    killSignal?.addEventListener('abort', onAbort);
    try {
      this.#refresh();
      if (retryFailed) this.#resetFailed();
      for (;;) {
        this.#refresh();
        const startable = signal?.aborted === true ? [] : this.#startable();
        for (const cell of startable) if (this.#begin(cell) === 'full') break;
        if (this.#active.size === 0 && !this.#worthWaiting(startable)) break;
        await this.#nextEvent();
        if (this.#failure !== undefined) throw this.#failure;
      }
      return this.#outcome(signal?.aborted === true);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      killSignal?.removeEventListener('abort', onAbort);
    }
  }

  /** States of cells that may have changed; a cell that is done stays done. */
  #refresh(): void {
    const { directory, retries, cells } = this.#plan;
    const context = { directory, retries, claims: this.#options.claims };
    for (const cell of cells) {
      if (this.#states.get(cell.id)?.kind === 'done') continue;
      const state = cellState(cell.name, context);
      this.#states.set(cell.id, state);
      if (state.kind === 'done' && !this.#active.has(cell.id)) this.#settle(cell);
    }
    for (const { claim, attempt, cell } of this.#active.values()) {
      if (!claim.lost) continue;
      this.#options.logger.warn(`${cell.name} was taken over by another runner; stopping it here`);
      attempt.stop();
    }
  }

  #stateOf = (cell: Cell): CellState => this.#states.get(cell.id)!;

  #readiness(): Map<string, Readiness> {
    const { ignoreGates = false } = this.#options;
    return new Map(
      this.#plan.phases.map((phase) => [
        phase.name,
        readiness(this.#plan, phase, this.#stateOf, { ignoreGates }),
      ]),
    );
  }

  /** Cells that wait for a place, the most urgent first; those that got furthest first among equals. */
  #startable(): Cell[] {
    const ready = this.#readiness();
    const waiting = this.#plan.cells.filter((cell) => {
      const state = this.#stateOf(cell);
      if (isOrphan(state)) return true;
      if (state.kind !== 'queued' && state.kind !== 'preempted') return false;
      return cell.places.some(({ phase }) => ready.get(phase)?.kind === 'ready');
    });
    const step = (cell: Cell): number => {
      const state = this.#stateOf(cell);
      return state.kind === 'preempted' ? state.step : 0;
    };
    const orphan = (cell: Cell): number => Number(isOrphan(this.#stateOf(cell)));
    return waiting.sort((a, b) => orphan(b) - orphan(a) || b.priority - a.priority || step(b) - step(a));
  }

  #begin(cell: Cell): 'begun' | 'full' | 'skipped' {
    if (this.#active.has(cell.id)) return 'skipped';
    if (!isOrphan(this.#stateOf(cell)) && !this.#options.executor.hasRoom(cell.resources)) return 'full';
    const rest = this.#restUntil.get(cell.id);
    if (rest !== undefined && performance.now() < rest) return 'skipped';
    const claim = this.#options.claims.tryClaim(cell.name);
    if (claim === undefined) return 'skipped';
    let handedOver = false;
    try {
      // Between the look and the claim another runner may have finished it.
      const { directory, retries } = this.#plan;
      const files = cellFiles(directory, cell.name);
      const attempt: Attempt = {
        cell,
        files,
        announce: (worker, detail) => {
          claim.setWorker(worker, detail);
          recordAttempt(files.attempts, {
            event: 'start',
            at: new Date().toISOString(),
            executor: this.#options.executor.name,
            fresh: !this.#left(cell).directory && wasDeleted(readAttempts(files.attempts).ends),
          });
        },
      };
      const left =
        claim.inherited === undefined ? undefined : this.#options.executor.adopt(claim.inherited, attempt);
      if (left !== undefined) {
        this.#options.logger.info(`found ${cell.name} at work; waiting for it`);
        this.#watch(cell, claim, left, undefined);
        handedOver = true;
        return 'begun';
      }
      const status = this.#status(cell);
      if (status?.state === 'completed') {
        this.#closeOpenAttempt(cell, status);
        return 'skipped';
      }
      this.#closeOpenAttempt(cell, status);
      claim.setWorker(null);
      const fresh = cellState(cell.name, { directory, retries, claims: this.#options.claims });
      if (fresh.kind === 'failed') return 'skipped';
      const running = this.#options.executor.start(attempt);
      if (running === undefined) return 'full';
      this.#options.logger.info(`started ${cell.name}`);
      this.#watch(cell, claim, running, status);
      handedOver = true;
      return 'begun';
    } finally {
      if (!handedOver) claim.release();
    }
  }

  #watch(cell: Cell, claim: Claim, attempt: RunningAttempt, before: RunStatus | undefined): void {
    this.#active.set(cell.id, { cell, claim, attempt });
    this.#states.set(cell.id, {
      kind: 'running',
      host: '',
      phase: 'start',
      step: 0,
      secondsPerStep: undefined,
      orphan: false,
    });
    void attempt.ended
      .then((end) => {
        const after = this.#status(cell);
        // A status that has not changed is that of the attempt before.
        const own =
          after?.updated_at === before?.updated_at && after?.attempt === before?.attempt ? undefined : after;
        const asked = this.#options.signal?.aborted === true || claim.lost;
        const ending = classify(end, own, this.#left(cell), asked);
        const refused = own === undefined && end.code !== null && end.code !== 0 && isHeld(after);
        this.#finish(cell, claim, refused ? { ...ending, cause: 'busy' } : ending);
      })
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => this.#wake());
  }

  #finish(cell: Cell, claim: Claim, end: AttemptEnd): void {
    const { logger, crashPauseMs = 2000 } = this.#options;
    this.#active.delete(cell.id);
    this.#idleSince = performance.now();
    if (!claim.lost) this.#recordEnd(cell, end);
    claim.release();
    if (end.cause === 'completed') {
      this.#completed += 1;
      logger.info(`done ${cell.name}`, { step: end.step });
      return;
    }
    logger.warn(`${cell.name}: ${end.cause}`, {
      step: end.step,
      ...(end.message !== null && { why: end.message }),
    });
    if (end.cause === 'preempted' || end.cause === 'timeout') return;
    const crashes = readAttempts(cellFiles(this.#plan.directory, cell.name).attempts).ends.length;
    this.#restUntil.set(cell.id, performance.now() + crashPauseMs * 2 ** Math.min(crashes - 1, 6));
  }

  /** A cell that was completed while no runner was there leaves a claim and an attempt without an end. */
  #settle(cell: Cell): void {
    const { claims } = this.#options;
    if (claims.look(cell.name).kind !== 'abandoned') return;
    const claim = claims.tryClaim(cell.name);
    if (claim === undefined) return;
    try {
      this.#closeOpenAttempt(cell, this.#status(cell));
    } finally {
      claim.release();
    }
  }

  /** An attempt whose end nobody saw: its runner died too. */
  #closeOpenAttempt(cell: Cell, status: RunStatus | undefined): void {
    const { attempts } = cellFiles(this.#plan.directory, cell.name);
    if (!readAttempts(attempts).open) return;
    const gone = { code: null, signal: null, lastLine: null };
    this.#recordEnd(cell, classify(gone, status, this.#left(cell)));
  }

  #recordEnd(cell: Cell, end: AttemptEnd): void {
    const { attempts } = cellFiles(this.#plan.directory, cell.name);
    recordAttempt(attempts, { event: 'end', at: new Date().toISOString(), ...end });
  }

  /** What the attempts of a cell have left so far. */
  #left(cell: Cell): { readonly step: number; readonly directory: boolean } {
    const { directory } = this.#plan;
    return {
      step: checkpointStep(directory, cell.name),
      directory: existsSync(path.join(directory, cell.name)),
    };
  }

  #status(cell: Cell): RunStatus | undefined {
    try {
      return readStatus(runPaths(this.#plan.directory, runIdOf(cell.name)).status);
    } catch {
      return undefined;
    }
  }

  #resetFailed(): void {
    for (const cell of this.#plan.cells) {
      if (this.#stateOf(cell).kind !== 'failed') continue;
      const claim = this.#options.claims.tryClaim(cell.name);
      if (claim === undefined) continue;
      const { attempts } = cellFiles(this.#plan.directory, cell.name);
      recordAttempt(attempts, { event: 'reset', at: new Date().toISOString() });
      claim.release();
    }
  }

  #someoneElseRuns(): boolean {
    return this.#plan.cells.some(
      (cell) => this.#stateOf(cell).kind === 'running' && !this.#active.has(cell.id),
    );
  }

  /** Asked when this runner carries nothing: is there anything to come? */
  #worthWaiting(startable: readonly Cell[]): boolean {
    const { signal, wait = true, patienceMs = Number.POSITIVE_INFINITY } = this.#options;
    if (signal?.aborted === true) return false;
    if (performance.now() - this.#idleSince > patienceMs) return false;
    if (startable.some(({ id }) => this.#restUntil.has(id))) return true;
    // Places, or cells that the next phase needs, are with another shell.
    return wait && (startable.length > 0 || this.#someoneElseRuns());
  }

  #nextEvent(): Promise<void> {
    const { pollMs = 1000 } = this.#options;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #outcome(stopped: boolean): PlanOutcome {
    this.#refresh();
    return { states: new Map(this.#states), phases: this.#readiness(), completed: this.#completed, stopped };
  }
}
