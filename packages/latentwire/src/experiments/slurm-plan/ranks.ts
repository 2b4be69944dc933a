/**
 * The tasks of a cell that trains on several GPUs. One of them, rank 0, decides: it holds the claim and starts attempts.
 * The others start the same command whenever it does, and leave when it leaves. They learn of it from a small file.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { JobContext } from '@latentwire/slurm';
import { type Logger, writeJsonAtomic } from '../../telemetry/index.js';
import { slurmFolder } from '../state/experiment-folder.js';

interface Word {
  /** Of the job: what an earlier start of it said does not count. */
  readonly restarts: number;
  /** Counts the attempts of this start. */
  readonly attempt: number;
  /** Exit code with which all leave. */
  readonly ended: number | null;
}

const LOOK_MS = 500;
/** For a process of an attempt that is over. */
const PATIENCE_MS = 10_000;

function wordFile(directory: string, { id }: JobContext): string {
  return path.join(slurmFolder(directory), 'ranks', `${id}.json`);
}

/** Rank 0's word to the others. */
export class RankLeader {
  readonly #file: string;
  readonly #restarts: number;
  #attempt = 0;

  constructor(directory: string, job: JobContext) {
    this.#file = wordFile(directory, job);
    this.#restarts = job.restarts;
    mkdirSync(path.dirname(this.#file), { recursive: true });
  }

  start(): void {
    this.#attempt += 1;
    this.#say(null);
  }

  end(exitCode: number): void {
    this.#say(exitCode);
  }

  #say(ended: number | null): void {
    const word: Word = { restarts: this.#restarts, attempt: this.#attempt, ended };
    writeJsonAtomic(this.#file, { ...word });
  }
}

/** What another rank does. Returns when rank 0 leaves, with its exit code. */
export async function followRank(
  directory: string,
  job: JobContext,
  command: readonly string[],
  logger: Logger,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  // Slurm tells every task to stop; rank 0's training tells those of the others.
  for (const signal of ['SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});
  const file = wordFile(directory, job);
  let current = 0;
  let stop = async (): Promise<void> => {};
  for (;;) {
    const word = read(file);
    if (word?.restarts === job.restarts) {
      if (word.ended !== null) {
        await stop();
        return word.ended;
      }
      if (word.attempt !== current) {
        await stop();
        current = word.attempt;
        logger.info(`rank ${job.rank} joins attempt ${current}`);
        stop = begin(command, logger, env);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Starts a process; what is returned waits for its end, for a while, and then ends it. */
function begin(command: readonly string[], logger: Logger, env: NodeJS.ProcessEnv): () => Promise<void> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], env });
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      logger.warn(error.message);
      resolve();
    });
    child.once('exit', () => resolve());
  });
  return async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    await ended;
    clearTimeout(timer);
  };
}

function read(file: string): Word | undefined {
  try {
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Word) : undefined;
  } catch {
    return undefined; // A file system that shows it in the middle of its replacement.
  }
}
