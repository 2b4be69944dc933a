/**
 * Starts one process for each GPU of this machine, all with the same command, and is one with them: signals go to all, the
 * end of one that failed is the end of all, and no process outlives this one unasked.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Logger } from '../../telemetry/index.js';

export interface LaunchOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly processes: number;
  /** A GPU for each of them, for CUDA_VISIBLE_DEVICES; null: all work on the CPU. */
  readonly gpus: readonly string[] | null;
  readonly logger: Logger;
  /** Seconds that the others get to end by themselves when one failed. */
  readonly killAfter: number;
  readonly env?: NodeJS.ProcessEnv;
}

export interface RankEnd {
  readonly rank: number;
  /** null: ended by `signal`. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface LaunchResult {
  readonly ends: readonly RankEnd[];
  /** The first one that failed by itself. */
  readonly failure: RankEnd | undefined;
  /** The signal that was passed on to all. */
  readonly stoppedBy: NodeJS.Signals | undefined;
}

const PASSED_ON = ['SIGTERM', 'SIGINT', 'SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const;
/** A batch script is to be asked for a requeue. */
const REQUEUE = 85;

/** Resolves when all processes have ended. */
export async function launch(options: LaunchOptions): Promise<LaunchResult> {
  const { processes, logger } = options;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'latentwire-launch-'));
  const notice = path.join(folder, 'failure.json');
  const port = await freePort();
  const children: ChildProcess[] = [];
  const ends: RankEnd[] = [];
  let failure: RankEnd | undefined;
  let stoppedBy: NodeJS.Signals | undefined;
  let killer: NodeJS.Timeout | undefined;
  const all = (signal: NodeJS.Signals): void => {
    for (const child of children) child.kill(signal);
  };
  const passOn = (signal: NodeJS.Signals): void => {
    stoppedBy ??= signal;
    logger.info('passing a signal on to all processes', { signal });
    all(signal);
  };
  const note = (told: object): void => {
    writeFileSync(`${notice}.new`, JSON.stringify(told));
    renameSync(`${notice}.new`, notice);
  };
  const ended = (end: RankEnd): void => {
    ends.push(end);
    if (failure !== undefined || end.code === 0 || end.code === REQUEUE) return;
    const told = { rank: end.rank, message: howItEnded(end) };
    if (stoppedBy !== undefined && end.signal === stoppedBy) {
      // It had no handlers yet. Nothing is lost; the others need not wait for it.
      note({ ...told, stop: stoppedBy });
      return;
    }
    failure = end;
    logger.error(`rank ${end.rank} of ${processes} ${told.message}`);
    note(told);
    killer = setTimeout(() => all('SIGKILL'), options.killAfter * 1000);
  };
  for (const signal of PASSED_ON) process.on(signal, passOn);
  try {
    await Promise.all(
      Array.from({ length: processes }, async (_, rank) => {
        const child = start(rank, port, notice, options);
        children.push(child);
        ended(await endOf(child, rank));
      }),
    );
    return { ends: ends.sort((a, b) => a.rank - b.rank), failure, stoppedBy };
  } finally {
    clearTimeout(killer);
    for (const signal of PASSED_ON) process.off(signal, passOn);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** 0; of the first process that failed: 1 or 2; 85 when a batch script is to ask for a requeue. */
export function exitCodeOf(result: LaunchResult, env: NodeJS.ProcessEnv = process.env): 0 | 1 | 2 | 85 {
  const { ends, failure, stoppedBy } = result;
  if (failure !== undefined) return failure.code === 2 ? 2 : 1;
  if (ends.some(({ code }) => code === REQUEUE)) return REQUEUE;
  // Ended by a signal that came before there were handlers: nothing is lost, but it is not done either.
  if (stoppedBy !== undefined && ends[0]?.signal === stoppedBy) {
    return env.SLURM_JOB_ID === undefined ? 1 : REQUEUE;
  }
  return 0;
}

export function howItEnded({ code, signal }: RankEnd): string {
  return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
}

function start(rank: number, port: number, notice: string, options: LaunchOptions): ChildProcess {
  const { command, processes, gpus, env = process.env } = options;
  const threads = Math.max(1, Math.floor(os.availableParallelism() / processes));
  const child = spawn(command[0]!, command.slice(1), {
    // Away from the terminal's Ctrl-C: it comes to the launcher alone, which passes it on once.
    detached: true,
    stdio: ['ignore', rank === 0 ? 'inherit' : 'ignore', rank === 0 ? 'inherit' : 'pipe'],
    env: {
      ...(gpus === null && { OMP_NUM_THREADS: String(threads) }),
      ...env,
      RANK: String(rank),
      LOCAL_RANK: String(rank),
      WORLD_SIZE: String(processes),
      LOCAL_WORLD_SIZE: String(processes),
      MASTER_ADDR: '127.0.0.1',
      MASTER_PORT: String(port),
      CUDA_VISIBLE_DEVICES: gpus?.[rank] ?? '',
      LATENTWIRE_LAUNCHER: String(process.pid),
      LATENTWIRE_LAUNCH_FAILURE: notice,
      // One process speaks with Slurm.
      ...(rank > 0 && { LATENTWIRE_SUPERVISED: String(process.pid) }),
    },
  });
  if (child.stderr !== null) prefixLines(child.stderr, `rank ${rank}: `);
  return child;
}

/** Copies whole lines to stderr and says whose they are. */
function prefixLines(stream: NodeJS.ReadableStream, prefix: string): void {
  let rest = '';
  const write = (line: string): void => {
    if (line !== '') process.stderr.write(line.startsWith(prefix) ? `${line}\n` : `${prefix}${line}\n`);
  };
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) write(line);
  });
  stream.on('end', () => write(rest));
}

function endOf(child: ChildProcess, rank: number): Promise<RankEnd> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ rank, code, signal }));
  });
}

/** A port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
