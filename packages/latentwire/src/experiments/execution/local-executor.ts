/**
 * Runs cells as child processes of this machine, several at once. A child outlives the runner: it is in a
 * process group of its own and waits to begin until the runner has recorded its pid, so a runner killed at any
 * moment leaves either nothing or a process that the next runner finds and waits for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LatentWireError } from '../../errors.js';
import { writeJsonAtomic } from '../../telemetry/index.js';
import type { Cell } from '../plan/expand.js';
import type { Resources } from '../plan/plan-schema.js';
import type { ProcessEnd } from '../state/attempts.js';
import { lastLine } from '../state/cell-state.js';
import type { Claim, ClaimRecord, Claims } from '../state/claims.js';
import type { CellFiles } from '../state/experiment-folder.js';
import { isAlive, type ProcessIdentity, processIdentity } from '../state/process-identity.js';
import type { Attempt, Executor, RunningAttempt } from './executor.js';

/** Program and arguments that train one cell; `config` is a file with all its settings. */
export type CellCommand = (cell: Cell, files: CellFiles) => readonly string[];

export interface LocalExecutorOptions {
  /** Cells at once; by default one per GPU, or one where there is none. */
  readonly slots?: number;
  /** Indices for CUDA_VISIBLE_DEVICES; shared by all runners of this machine through claims. */
  readonly gpus?: readonly string[];
  readonly command: CellCommand;
  /** Where this machine's GPUs are claimed, by all experiments: see `gpuClaimsFolder`. */
  readonly gpuClaims: Claims;
  readonly env?: NodeJS.ProcessEnv;
  /** Its cells are one rank of a training in several processes, as this process is; otherwise they train alone. */
  readonly asRank?: boolean;
}

const POLL_MS = 250;
/** A runner may be one of several tasks of a job; its cells are not. */
const ALONE = { WORLD_SIZE: '1', RANK: '0', LOCAL_RANK: '0' };

export class LocalExecutor implements Executor {
  readonly name = 'local';
  readonly #slots: number;
  readonly #gpus: readonly string[];
  readonly #command: CellCommand;
  readonly #claims: Claims;
  readonly #env: NodeJS.ProcessEnv;
  readonly #asRank: boolean;
  #running = 0;

  constructor(options: LocalExecutorOptions) {
    this.#gpus = options.gpus ?? [];
    this.#slots = options.slots ?? Math.max(1, this.#gpus.length);
    this.#command = options.command;
    this.#claims = options.gpuClaims;
    this.#env = options.env ?? process.env;
    this.#asRank = options.asRank === true;
  }

  hasRoom(resources: Resources): boolean {
    const gpus = this.#gpusFor(resources);
    if (gpus > this.#gpus.length) {
      throw new LatentWireError(`a cell needs ${gpus} GPUs, this machine offers ${this.#gpus.length}`, {
        code: 'input',
        hint: 'name more with --gpus, or run it elsewhere',
      });
    }
    return this.#running < this.#slots && this.#freeGpus().length >= gpus;
  }

  start({ cell, files, announce }: Attempt): RunningAttempt | undefined {
    const held = this.#takeGpus(this.#gpusFor(cell.resources));
    if (held === undefined) return undefined;
    let child: ChildProcess | undefined;
    try {
      mkdirSync(files.folder, { recursive: true });
      writeJsonAtomic(files.config, { ...cell.config });
      child = this.#spawn(this.#command(cell, files), files, {
        ...(this.#asRank ? {} : ALONE),
        OMP_NUM_THREADS: String(cell.resources.cpus),
        ...(this.#gpus.length > 0 && { CUDA_VISIBLE_DEVICES: held.map(({ gpu }) => gpu).join(',') }),
      });
      const ended = endOf(child, files);
      if (child.pid !== undefined) {
        const worker = processIdentity(child.pid);
        for (const { claim } of held) claim.setWorker(worker);
        announce(worker, { gpus: held.map(({ gpu }) => gpu) });
        child.stdin!.on('error', () => {}); // It may be gone already; its end says why.
        child.stdin!.end('go\n');
      }
      const { pid } = child;
      return this.#watch(ended, held, (signal) => pid !== undefined && send(pid, signal));
    } catch (error) {
      child?.stdin?.destroy(); // It has not begun, and now never will.
      for (const { claim } of held) claim.release();
      throw error;
    }
  }

  adopt(record: ClaimRecord, { files }: Attempt): RunningAttempt | undefined {
    const { worker } = record;
    if (worker === null || isAlive(worker) !== true) return undefined;
    const held = ((record.detail?.gpus ?? []) as string[]).flatMap((gpu) => {
      const claim = this.#claims.tryClaim(gpuClaim(gpu));
      return claim === undefined ? [] : [{ gpu, claim }];
    });
    return this.#watch(goneOf(worker, files), held, (signal) => send(worker.pid, signal));
  }

  /** Without any GPU a plan for GPUs runs on the processor: the device is a setting of the cell. */
  #gpusFor({ gpus }: Resources): number {
    return this.#gpus.length === 0 ? 0 : gpus;
  }

  /** A GPU whose last user may still run keeps its memory. */
  #freeGpus(): string[] {
    return this.#gpus.filter((gpu) => {
      const state = this.#claims.look(gpuClaim(gpu));
      if (state.kind !== 'abandoned') return state.kind === 'free';
      return state.record.worker === null || isAlive(state.record.worker) === false;
    });
  }

  #watch(
    ended: Promise<ProcessEnd>,
    held: readonly { readonly claim: Claim }[],
    kill: (signal: NodeJS.Signals) => unknown,
  ): RunningAttempt {
    this.#running += 1;
    let asked = false;
    return {
      ended: ended.finally(() => {
        this.#running -= 1;
        for (const { claim } of held) claim.release();
      }),
      stop: () => {
        try {
          kill(asked ? 'SIGKILL' : 'SIGTERM');
        } catch {
          // Already gone.
        }
        asked = true;
      },
    };
  }

  /** The shell reads one line before it becomes the program: a runner that dies first closes the pipe. */
  #spawn(command: readonly string[], files: CellFiles, env: NodeJS.ProcessEnv): ChildProcess {
    const output = openSync(files.output, 'a');
    try {
      return spawn('/bin/sh', ['-c', 'read -r go && exec "$0" "$@" </dev/null', ...command], {
        stdio: ['pipe', output, output],
        detached: true,
        env: { ...this.#env, ...env },
      });
    } finally {
      closeSync(output);
    }
  }

  #takeGpus(count: number): { gpu: string; claim: Claim }[] | undefined {
    const held: { gpu: string; claim: Claim }[] = [];
    for (const gpu of count === 0 ? [] : this.#freeGpus()) {
      if (held.length === count) break;
      const claim = this.#claims.tryClaim(gpuClaim(gpu));
      if (claim !== undefined) held.push({ gpu, claim });
    }
    if (held.length === count) return held;
    for (const { claim } of held) claim.release();
    return undefined;
  }
}

/** Asks the program itself to end; when it must, ends all that it started (it leads its process group). */
function send(pid: number, signal: NodeJS.Signals): void {
  process.kill(signal === 'SIGKILL' ? -pid : pid, signal);
}

/**
 * A folder of this machine alone: two machines on one file system each have a GPU 0. And of this Slurm job, where there
 * is one: Slurm shares GPUs out, and each job may count its own from 0.
 */
export function gpuClaimsFolder(env: NodeJS.ProcessEnv = process.env): string {
  const job = env.SLURM_JOB_ID === undefined ? '' : `-job-${env.SLURM_JOB_ID}`;
  return path.join(os.tmpdir(), `latentwire-gpus-${os.userInfo().uid}${job}`);
}

function gpuClaim(gpu: string): string {
  return `gpu-${gpu.replaceAll(/[^\w-]/g, '_')}`;
}

function endOf(child: ChildProcess, files: CellFiles): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 127, signal: null, lastLine: error.message }));
    child.once('exit', (code, signal) => resolve({ code, signal, lastLine: lastLine(files.output) }));
  });
}

/** The end of a process that is not our child: its exit code is not ours to know. */
async function goneOf(worker: ProcessIdentity, files: CellFiles): Promise<ProcessEnd> {
  while (isAlive(worker) === true) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  return { code: null, signal: null, lastLine: lastLine(files.output) };
}
