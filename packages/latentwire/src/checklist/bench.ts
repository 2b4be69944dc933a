/** What experiments work with: a folder of their own, the command line as a process, and the small training. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Logger, type RunPaths, runLocation, runPaths } from '../telemetry/index.js';
import {
  type AttemptOptions,
  type AttemptResult,
  endingOf,
  runAttempt,
  SUPERVISED,
} from '../training/index.js';

export interface ChecklistSettings {
  /** Program and first arguments of the command line: `node latentwire.js`. */
  readonly program: readonly [string, ...string[]];
  /** Folder of the checkout: plans, job files and scripts lie there. */
  readonly checkout: string;
  /** Where evidence goes. */
  readonly folder: string;
  /** As `--device` takes it, resolved: cpu, cuda, cuda:N. */
  readonly device: string;
  /** Submit a job to Slurm; undefined: only ask whether it would take one. */
  readonly slurm?: SlurmWish;
  readonly logger: Logger;
  /** Ends all processes. */
  readonly stop?: AbortSignal;
}

export interface SlurmWish {
  /** Cluster profile of the job. */
  readonly profile: string;
  /** Partition whose jobs preempt it; undefined: it is only put back in the queue. */
  readonly preemptWith?: string;
}

export interface CommandOutcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The object of --json; {} when there is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** A training of seconds that takes this long on a busy machine stands still. */
const LIMIT_MS = 300_000;

/** A training of seconds: two micro-batches a step, 20 steps, all stages. */
const SMALL = [
  ...['--model', 'bundled:tiny-llama', '--encoder-id', 'bundled:tiny-llama', '--dataset', 'facts'],
  ...['--samples', '64', '--latent-len', '4', '--d-z', '16', '--adapter-hidden', '32'],
  ...['--batch-size', '4', '--grad-accum', '2', '--max-steps', '20', '--epochs', '4'],
  ...['--eval-samples', '6', '--eval-batch-size', '3', '--max-new-tokens', '4', '--eval-modes', 'latent'],
  // Without them a GPU adds in another order each time, and no two runs are equal to the byte.
  '--deterministic',
] as const;

/** What all sections share, so that a run which several compare with is trained once. */
export class Workshop {
  readonly #done = new Map<string, Promise<unknown>>();

  constructor(readonly settings: ChecklistSettings) {}

  once<T>(key: string, work: () => Promise<T>): Promise<T> {
    const known = this.#done.get(key) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const begun = work();
    this.#done.set(key, begun);
    return begun;
  }

  bench(name: string): Bench {
    return new Bench(this, path.join(this.settings.folder, name));
  }
}

export class Bench {
  readonly settings: ChecklistSettings;
  readonly #workshop: Workshop;

  constructor(
    workshop: Workshop,
    readonly folder: string,
  ) {
    this.#workshop = workshop;
    this.settings = workshop.settings;
    mkdirSync(folder, { recursive: true });
  }

  get hasGpu(): boolean {
    return this.settings.device !== 'cpu';
  }

  in(...parts: readonly string[]): string {
    return path.join(this.folder, ...parts);
  }

  paths(run: string): RunPaths {
    const { root, name } = runLocation(this.in(run));
    return runPaths(root, name);
  }

  /** One attempt of the small training at the run of this name; `args` come last and win. */
  attempt(run: string, options: Partial<AttemptOptions> = {}): Promise<AttemptResult> {
    const { program, device, stop, logger } = this.settings;
    logger.debug('training', { run: this.in(run) });
    return runAttempt({
      ...options,
      command: [...program, 'train'],
      limitMs: LIMIT_MS,
      run: this.in(run),
      args: [...SMALL, '--device', device, ...(options.args ?? [])],
      env: { ...this.#environment(), ...options.env },
      ...(stop && { stop }),
    });
  }

  /** The same until it is complete. @throws Error with the cause when it does not get there */
  async trained(run: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    const result = await this.attempt(run, { args, env });
    if (result.code !== 0)
      throw new Error(`a training that nothing disturbed did not end: ${endingOf(result)}`);
    return result;
  }

  /** Directory of the small training that nothing disturbed. */
  twin(): Promise<string> {
    return this.#workshop.once('twin', async () => {
      const bench = this.#workshop.bench('twin');
      await bench.trained('undisturbed');
      return bench.in('undisturbed');
    });
  }

  /** Any command of `latentwire`, with --json. */
  command(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandOutcome> {
    const { program, stop, checkout } = this.settings;
    const [file, ...first] = program;
    return outputOf(file, [...first, ...args, '--json'], {
      env: { ...process.env, ...this.#environment(), ...env },
      cwd: checkout,
      ...(stop && { stop }),
    });
  }

  /** A threaded sum depends on the number of threads; and trainings run side by side here. */
  #environment(): Record<string, string> {
    return { ...SUPERVISED, OMP_NUM_THREADS: process.env.OMP_NUM_THREADS ?? '1' };
  }
}

export interface ProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly stop?: AbortSignal;
}

/** Runs a program to its end. @throws when it cannot be started */
export function outputOf(
  file: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<CommandOutcome> {
  const { env = process.env, cwd, stop } = options;
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
    ...(cwd !== undefined && { cwd }),
    ...(stop && { signal: stop, killSignal: 'SIGKILL' as const }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr, json: jsonOf(stdout) }));
  });
}

/** The last line of a command's output that says why it failed. */
export function failureOf({ code, stderr }: Pick<CommandOutcome, 'code' | 'stderr'>): string {
  const lines = stderr.trim().split('\n');
  return `exit ${code}: ${lines.find((line) => line.startsWith('error:')) ?? lines.at(-1) ?? ''}`;
}

function jsonOf(stdout: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(stdout);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
