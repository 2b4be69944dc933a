/**
 * One training as a process of its own, watched from outside and hit when asked: what drills and the checklist are made
 * of. Nothing here looks into the process; what it did is read from its output and its run directory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { runLocation, runPaths } from '../telemetry/index.js';

export interface AttemptOptions {
  /** Program and first arguments of a training; the flags of the attempt follow. */
  readonly command: readonly [string, ...string[]];
  /** Run directory. */
  readonly run: string;
  /** Further arguments. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Sends a signal once, as soon as `when` says so. */
  readonly hit?: {
    readonly signal: NodeJS.Signals;
    /** Asked all the time. @param steps rows of diagnostics that this attempt has written */
    readonly when: (steps: number) => boolean;
  };
  /** Milliseconds between two looks. */
  readonly lookMs?: number;
  /** Called at every look, for watching what the process does to its files. */
  readonly onLook?: (child: ChildProcess, steps: number) => void;
  readonly onLine?: (line: string) => void;
  /** A process that takes longer stands still, and is killed. */
  readonly limitMs?: number;
  /** Kills the process. */
  readonly stop?: AbortSignal;
}

export interface AttemptResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What the JSON on stdout calls the end of the run. */
  readonly state: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly lines: readonly string[];
  /** On the clock of `Date.now()`. */
  readonly hitAtMs: number | undefined;
  readonly endedAtMs: number;
  readonly seconds: number;
}

/** In a batch job only its own task speaks with Slurm (experiments/slurm): a rehearsal must not requeue the job. */
export const SUPERVISED = { LATENTWIRE_SUPERVISED: String(process.pid) } as const;

/** Starts `command … --save-dir RUN --auto-resume --json` and waits for its end. */
export async function runAttempt(options: AttemptOptions): Promise<AttemptResult> {
  const { command, run, hit, onLine, onLook, stop } = options;
  const [program, ...first] = command;
  const began = performance.now();
  const args = [...first, ...(options.args ?? []), '--save-dir', run, '--auto-resume', '--json'];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...SUPERVISED, ...options.env },
    ...(stop !== undefined && { signal: stop, killSignal: 'SIGKILL' as const }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    if (onLine !== undefined) for (const line of text.split('\n')) if (line !== '') onLine(line);
  });
  const rows = rowCounter(run);
  const before = rows();
  let hitAtMs: number | undefined;
  const look = (): void => {
    const steps = rows() - before;
    onLook?.(child, steps);
    if (hit === undefined || hitAtMs !== undefined || !hit.when(steps)) return;
    hitAtMs = Date.now();
    child.kill(hit.signal);
  };
  const timer = setInterval(look, options.lookMs ?? 5);
  const { limitMs } = options;
  const limit = limitMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), limitMs);
  return new Promise((resolve, reject) => {
    child.on('error', (error) => {
      clearInterval(timer);
      clearTimeout(limit);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearInterval(timer);
      clearTimeout(limit);
      const seconds = (performance.now() - began) / 1000;
      const lines = stderr.split(/[\r\n]+/).filter((line) => line !== '');
      const state = stateIn(stdout);
      resolve({ code, signal, state, stdout, stderr, lines, hitAtMs, endedAtMs: Date.now(), seconds });
    });
  });
}

/** How an attempt ended, in words. */
export function endingOf({ code, signal, state, lines, hitAtMs, endedAtMs }: AttemptResult): string {
  const how = signal ?? `exit ${code}${state === undefined ? '' : `, ${state}`}`;
  const after = hitAtMs === undefined ? '' : `, ${((endedAtMs - hitAtMs) / 1000).toFixed(1)} s after the hit`;
  const why =
    code === 0 || signal !== null
      ? ''
      : `: ${lines.find((line) => line.startsWith('error:')) ?? lines.at(-1) ?? ''}`;
  return `${how}${after}${why}`;
}

function rowCounter(run: string): () => number {
  const { root, name } = runLocation(run);
  const file = runPaths(root, name).diagnostics;
  return () => (fs.existsSync(file) ? fs.readFileSync(file, 'latin1').split('\n').length - 1 : 0);
}

function stateIn(stdout: string): string | undefined {
  try {
    return (JSON.parse(stdout) as { state?: string }).state;
  } catch {
    return undefined;
  }
}
